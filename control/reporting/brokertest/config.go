package brokertest

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed activemq.xml.tmpl
var brokerXML string

const logProperties = `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%p %m%n
`

const keyPassword = "loopback"

func (b *Broker) keyStore() string { return filepath.Join(b.config.Dir, "broker.p12") }

// writeConfig writes the broker's configuration, with the ports it had before.
func (b *Broker) writeConfig() error {
	connectors := map[string]string{
		"openwire": "tcp://" + cmp.Or(b.OpenWire, b.config.Host+":0"),
		"stomp":    "stomp://" + cmp.Or(b.STOMP, b.config.Host+":0"),
	}
	for i, options := range b.config.Options {
		uri := "tcp://" + cmp.Or(b.More[i], b.config.Host+":0") + "?" + options
		connectors[fmt.Sprint("more", i)] = strings.ReplaceAll(uri, "&", "&amp;")
	}
	if b.config.TLS {
		connectors["ssl"] = "ssl://" + cmp.Or(b.OpenWireTLS, b.config.Host+":0")
	}
	text, err := template.New("broker").Parse(brokerXML)
	if err != nil {
		return err
	}
	var xml strings.Builder
	err = text.Execute(&xml, map[string]any{
		"Data": b.config.Data, "User": b.config.User, "Password": b.config.Password, "Connectors": connectors,
		"Store": cmp.Or(b.config.Store, "1 gb"), "FailWhenFull": b.config.FailWhenFull,
		"TLS": b.config.TLS, "KeyStore": b.keyStore(), "KeyPassword": keyPassword,
	})
	if err != nil {
		return err
	}
	for name, content := range map[string]string{"activemq.xml": xml.String(), "log4j.properties": logProperties} {
		if err := os.WriteFile(filepath.Join(b.config.Dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// makeCertificate has Java's own tool make a key and a certificate for the host.
func (b *Broker) makeCertificate() error {
	b.Certificate = filepath.Join(b.config.Dir, "broker.pem")
	common := []string{"-alias", "broker", "-keystore", b.keyStore(), "-storetype", "PKCS12", "-storepass", keyPassword}
	for _, args := range [][]string{
		append([]string{"-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", "san=ip:" + b.config.Host, "-validity", "2"}, common...),
		append([]string{"-exportcert", "-rfc", "-file", b.Certificate}, common...),
	} {
		if out, err := exec.Command("keytool", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("make the broker's certificate: %w: %s", err, out)
		}
	}
	return nil
}
