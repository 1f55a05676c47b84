{{- define "mcp.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "mcp.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mcp.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{- define "mcp.serviceAccount" -}}
{{ .Values.serviceAccount.name | default .Chart.Name }}
{{- end }}

{{/* What the chart itself decides goes over the configuration it is given, but for where
calls are listened for (SIP over TLS, IPv6) and how long they may drain: a minute less than
the pod has, so that the last of them are ended and not killed. */}}
{{- define "mcp.config" -}}
{{- $media := dict "plane" (ternary "xdp" "socket" (eq .Values.plane.mode "xdp")) "port-min" (int .Values.ports.rtpFirst) "port-max" (int .Values.ports.rtpLast) -}}
{{- if eq .Values.plane.mode "xdp" }}{{ $_ := set $media "pins" "/run/mcp/bpf/plane" }}{{ end -}}
{{- $own := dict
  "media" $media
  "health" (dict "listen" (printf "0.0.0.0:%d" (int .Values.ports.probes)))
  "log" (dict "export" (dict "listen" (printf "0.0.0.0:%d" (int .Values.ports.log))))
  "upload" (dict "folder" "/var/lib/mcp/recordings" "listen" (printf "0.0.0.0:%d" (int .Values.ports.uploader)))
-}}
{{- if not (dig "sip" "listen" "" .Values.config) }}{{ $_ := set $own "sip" (dict "listen" (list (printf "tcp:0.0.0.0:%d" (int .Values.ports.sip)) (printf "udp:0.0.0.0:%d" (int .Values.ports.sip)))) }}{{ end -}}
{{- if not (dig "calls" "drain" "" .Values.config) }}{{ $_ := set $own "calls" (dict "drain" (printf "%ds" (max 0 (sub .Values.terminationGracePeriodSeconds 60)))) }}{{ end -}}
{{- if .Values.snmp.enabled }}{{ $_ := set $own.health "snmp" (dict "master" "tcp:127.0.0.1:1705" "exporter" (dict "listen" (printf "0.0.0.0:%d" (int .Values.ports.snmpExporter)))) }}{{ end -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) -}}
{{- end }}

{{/* The platform's file is without what a container of its own does. */}}
{{- define "mcp.platformConfig" -}}
{{- $config := fromYaml (include "mcp.config" .) -}}
{{- if .Values.uploader.enabled }}{{ $_ := unset $config.upload "destination" }}{{ end -}}
{{- if .Values.snmp.enabled }}{{ $_ := unset $config.health.snmp "exporter" }}{{ end -}}
{{- toYaml $config -}}
{{- end }}

{{- define "mcp.hardened" -}}
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 500
runAsGroup: 500
{{- end }}

{{- define "mcp.mounts" -}}
{{ include "mcp.settings" . }}
- {name: state, mountPath: /var/lib/mcp}
- {name: recordings, mountPath: /var/lib/mcp/recordings}
{{- end }}

{{- define "mcp.settings" -}}
- {name: config, mountPath: /etc/mcp, readOnly: true}
{{- range .Values.secrets }}
- {name: {{ printf "secret-%s" .name | quote }}, mountPath: {{ printf "/etc/mcp/secrets/%s" .name | quote }}, readOnly: true}
{{- end }}
{{- end }}
