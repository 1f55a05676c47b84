// Package check holds the chart to Helm's own lint and to Kubernetes' schemas, for
// every profile. It is a module of its own: nothing of it is in the platform.
package check

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

const chart = "../helm/gvp-mcp"

// custom are kinds of operators that may be there; their schemas are not Kubernetes'.
var custom = []string{"PodMonitor", "PrometheusRule", "ScaledObject"}

// profiles are the values that the chart is tried with; the empty one is the default.
func profiles(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(chart + "/profiles/*.yaml")
	if err != nil || len(all) < 4 {
		t.Fatalf("profiles %v: %v", all, err)
	}
	return append(all, "")
}

func values(t *testing.T, profile string) map[string]any {
	t.Helper()
	if profile == "" {
		return map[string]any{}
	}
	v, err := chartutil.ReadValuesFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// render gives the documents that the chart makes of a profile.
func render(t *testing.T, profile string) []string {
	t.Helper()
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	options := chartutil.ReleaseOptions{Name: "prod", Namespace: "gvp", IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values(t, profile), options, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	for name, text := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		for _, d := range strings.Split("\n"+text, "\n---\n") {
			if strings.TrimSpace(d) != "" {
				documents = append(documents, d)
			}
		}
	}
	return documents
}

// decode reads a document strictly: a key that the schema does not have is an error.
func decode(t *testing.T, document string) runtime.Object {
	t.Helper()
	text, err := yaml.ToJSON([]byte(document))
	if err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	if bytes.Equal(text, []byte("null")) {
		return nil // comments only
	}
	var any unstructured.Unstructured
	if err := any.UnmarshalJSON(text); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	if slices.Contains(custom, any.GetKind()) {
		return &any
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Strict: true})
	object, _, err := strict.Decode(text, nil, nil)
	if err != nil {
		t.Errorf("%v in\n%s", err, document)
	}
	return object
}

func TestLint(t *testing.T) {
	for _, profile := range profiles(t) {
		for _, m := range lint.AllWithKubeVersion(chart, values(t, profile), "gvp", nil).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %s", profile, m)
			}
		}
	}
}

func TestEveryProfileIsWhatKubernetesTakes(t *testing.T) {
	for _, profile := range profiles(t) {
		t.Run(filepath.Base(profile), func(t *testing.T) {
			kinds := map[string]int{}
			for _, d := range render(t, profile) {
				if o := decode(t, d); o != nil {
					kinds[o.GetObjectKind().GroupVersionKind().Kind]++
				}
			}
			for _, kind := range []string{"StatefulSet", "Service", "ConfigMap", "PodDisruptionBudget", "ServiceAccount"} {
				if kinds[kind] == 0 {
					t.Errorf("there is no %s among %v", kind, kinds)
				}
			}
		})
	}
}

// statefulSet is the one of a profile.
func statefulSet(t *testing.T, profile string) *appsv1.StatefulSet {
	t.Helper()
	for _, d := range render(t, profile) {
		if s, ok := decode(t, d).(*appsv1.StatefulSet); ok {
			return s
		}
	}
	t.Fatal("there is no StatefulSet")
	return nil
}

// Names, probes and grace are the product's.
func TestWhatAnOperatorKnows(t *testing.T) {
	s := statefulSet(t, "")
	pod := s.Spec.Template.Spec
	mcp := pod.Containers[0]
	if s.Name != "gvp-mcp" || s.Spec.PodManagementPolicy != appsv1.ParallelPodManagement || *pod.TerminationGracePeriodSeconds != 3600 ||
		mcp.LivenessProbe.HTTPGet.Path != "/mcp/liveness" || mcp.ReadinessProbe.HTTPGet.Path != "/mcp/readiness" {
		t.Errorf("%+v", s)
	}
	ports := map[string]int32{}
	for _, p := range mcp.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if mcp.Name != "gvp-mcp" {
		t.Errorf("the container is called %s: dashboards and alerts look for gvp-mcp", mcp.Name)
	}
	if ports["sip-tcp"] != 5070 || ports["probes"] != 8300 || ports["gvp-mcp-log"] != 8200 {
		t.Errorf("ports %v", ports)
	}
	up := statefulSet(t, chart+"/profiles/unprivileged.yaml").Spec.Template.Spec
	if rup := up.Containers[1]; rup.Name != "rup" || rup.Ports[0].ContainerPort != 8080 ||
		rup.LivenessProbe.HTTPGet.Path != "/health/live" || rup.ReadinessProbe.HTTPGet.Path != "/health/ready" {
		t.Errorf("%+v", rup)
	}
}

// configMap is the text of the configuration that values make.
func configMap(t *testing.T, values string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range render(t, file) {
		if c, is := decode(t, d).(*corev1.ConfigMap); is {
			return c.Data["mcp.yaml"]
		}
	}
	t.Fatal("there is no configuration")
	return ""
}

// TestConfigurationThatIsGiven: calls drain in less than the time that the pod has, and
// where they are listened for can be said.
func TestConfigurationThatIsGiven(t *testing.T) {
	for values, want := range map[string][]string{
		"":                                           {"drain: 3540s", "- tcp:0.0.0.0:5070", "- udp:0.0.0.0:5070"},
		"terminationGracePeriodSeconds: 900":         {"drain: 840s"},
		"terminationGracePeriodSeconds: 30":          {"drain: 0s"},
		"config: {calls: {max: 7}}":                  {"drain: 3540s", "max: 7"},
		"config: {calls: {drain: 10m}}":              {"drain: 10m"},
		"ports: {sip: 5080}":                         {"- tcp:0.0.0.0:5080"},
		"config: {sip: {listen: ['tls:[::]:5061']}}": {"- tls:[::]:5061"},
	} {
		text := configMap(t, values)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%q makes\n%s\nwithout %s", values, text, w)
			}
		}
	}
	if text := configMap(t, "config: {sip: {listen: ['tls:[::]:5061']}}"); strings.Contains(text, "0.0.0.0:5070") {
		t.Errorf("an address that was not asked for:\n%s", text)
	}
}

// container is the one of a name in a profile's pod.
func container(t *testing.T, profile, name string) corev1.Container {
	t.Helper()
	for _, c := range statefulSet(t, profile).Spec.Template.Spec.Containers {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("%s has no container %s", profile, name)
	return corev1.Container{}
}

// The agent is the platform's master within the pod, and the exporter, in the container
// that the product's dashboards look for, asks it.
func TestSNMP(t *testing.T) {
	profile := chart + "/profiles/pod.yaml"
	if p := container(t, profile, "snmpd").Ports[0]; p.ContainerPort != 1161 || p.Protocol != corev1.ProtocolUDP {
		t.Errorf("snmpd listens on %+v", p)
	}
	exporter := container(t, profile, "mcp-snmp")
	if p := exporter.Ports[0]; p.Name != "gvp-mcp-snmp" || p.ContainerPort != 9116 || !slices.Contains(exporter.Args, "--role=snmp-exporter") {
		t.Errorf("the exporter is %v and listens on %+v", exporter.Args, p)
	}
	all := strings.Join(render(t, profile), "\n")
	for _, want := range []string{
		"agentXSocket tcp:127.0.0.1:1705", "master: tcp:127.0.0.1:1705",
		"includeFile /etc/snmp/access/snmpd.conf", `target: ["127.0.0.1:1161"]`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s does not say %q", profile, want)
		}
	}
	if n := strings.Count(all, "listen: 0.0.0.0:9116"); n != 1 {
		t.Errorf("%d files have the exporter's address: the platform's has no business with it", n)
	}
	if without := strings.Join(render(t, ""), "\n"); strings.Contains(without, "1705") {
		t.Error("SNMP is there where nobody asked for it")
	}
}

// Load is calls: the calls of a pod come before its processor's time.
func TestScalingByCalls(t *testing.T) {
	for _, d := range render(t, chart+"/profiles/privileged.yaml") {
		hpa, ok := decode(t, d).(*autoscalingv2.HorizontalPodAutoscaler)
		if !ok {
			continue
		}
		calls := hpa.Spec.Metrics[0].Pods
		if calls == nil || calls.Metric.Name != "mcp_calls_active" || calls.Target.AverageValue.Value() != 500 || hpa.Spec.Metrics[1].Resource == nil {
			t.Errorf("%+v", hpa.Spec.Metrics)
		}
		return
	}
	t.Error("there is no HorizontalPodAutoscaler")
}

// A value that the chart does not have, or that is none, is refused by its name.
func TestValuesAreChecked(t *testing.T) {
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		values map[string]any
		names  string
	}{
		{map[string]any{"hostNetwrok": true}, "hostNetwrok"},
		{map[string]any{"plane": map[string]any{"mode": "dpdk"}}, "/plane/mode"},
		{map[string]any{"autoscaling": map[string]any{"callsPerPod": "many"}}, "/autoscaling/callsPerPod"},
		{map[string]any{"ports": map[string]any{"sip": 70000}}, "/ports/sip"},
		{map[string]any{"secrets": []any{map[string]any{"name": "rup"}}}, "/secrets/0"},
	} {
		_, err := chartutil.ToRenderValues(c, tt.values, chartutil.ReleaseOptions{Name: "prod"}, chartutil.DefaultCapabilities)
		if err == nil || !strings.Contains(err.Error(), tt.names) {
			t.Errorf("%v: %v", tt.values, err)
		}
	}
}

// No container but the init step of the plane is root or privileged, and without XDP
// nobody has any capability.
func TestPrivileges(t *testing.T) {
	for _, profile := range profiles(t) {
		pod := statefulSet(t, profile).Spec.Template.Spec
		for _, c := range pod.Containers {
			s := c.SecurityContext
			if s.Privileged != nil && *s.Privileged || s.RunAsUser == nil || *s.RunAsUser != 500 || !*s.RunAsNonRoot || !*s.ReadOnlyRootFilesystem ||
				!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("%s: %s: %+v", profile, c.Name, s)
			}
			if len(pod.InitContainers) == 0 && (len(s.Capabilities.Add) > 0 || *s.AllowPrivilegeEscalation) {
				t.Errorf("%s: %s has %v", profile, c.Name, s.Capabilities.Add)
			}
		}
	}
}

// A runtime makes the directories that volumes are mounted on, which it cannot in the
// kernel's own file systems.
func TestVolumesHaveAPlace(t *testing.T) {
	for _, profile := range profiles(t) {
		pod := statefulSet(t, profile).Spec.Template.Spec
		for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
			for _, m := range c.VolumeMounts {
				if strings.HasPrefix(m.MountPath, "/sys/") || strings.HasPrefix(m.MountPath, "/proc/") {
					t.Errorf("%s: %s: %s is mounted on %s", profile, c.Name, m.Name, m.MountPath)
				}
			}
		}
	}
}

// The alerts in the chart are those that promtool is shown.
func TestAlertsAreInTheRule(t *testing.T) {
	alerts, err := os.ReadFile(chart + "/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range render(t, chart+"/profiles/pod.yaml") {
		if !strings.Contains(d, "kind: PrometheusRule") {
			continue
		}
		rule := decode(t, d).(*unstructured.Unstructured)
		groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
		if err != nil || len(groups) != strings.Count(string(alerts), "- name: gvp-mcp.") {
			t.Errorf("%d groups: %v", len(groups), err)
		}
		return
	}
	t.Error("there is no PrometheusRule")
}
