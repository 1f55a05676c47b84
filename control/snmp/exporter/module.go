package exporter

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed modules.yaml
var defaultModules []byte

// Module says what of an agent is walked and what its variables are called.
type Module struct {
	Walk    []string `yaml:"walk"`
	Metrics []Metric `yaml:"metrics"`
	Version int      `yaml:"version"` // of SNMP; only 2 is spoken
	Auth    struct {
		Community string `yaml:"community"`
	} `yaml:"auth"`
}

// Metric is an object as a metric.
type Metric struct {
	Name    string  `yaml:"name"`
	OID     string  `yaml:"oid"`
	Type    string  `yaml:"type"` // gauge, counter or DisplayString
	Help    string  `yaml:"help"`
	Indexes []Index `yaml:"indexes"`
}

// Index is a part of the names of a table's instances, and a label.
type Index struct {
	Label string `yaml:"labelname"`
	Type  string `yaml:"type"` // gauge or DisplayString
}

// Default are the modules for this platform: mcp, and by another name the same, if_mib,
// which is what whoever scrapes the product's exporter asks for.
func Default() (map[string]Module, error) {
	modules, err := Parse(defaultModules)
	if err == nil {
		modules["if_mib"] = modules["mcp"]
	}
	return modules, err
}

// Parse reads modules, by their names, from YAML.
func Parse(text []byte) (map[string]Module, error) {
	var modules map[string]Module
	if err := yaml.UnmarshalWithOptions(text, &modules, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("SNMP modules: %w", err)
	}
	for name, m := range modules {
		if m.Version != 2 || len(m.Walk) == 0 {
			return nil, fmt.Errorf("SNMP module %s: it must have version 2 and something to walk", name)
		}
		for _, metric := range m.Metrics {
			if err := metric.check(); err != nil {
				return nil, fmt.Errorf("SNMP module %s: %s: %w", name, metric.Name, err)
			}
		}
	}
	return modules, nil
}

func (m Metric) check() error {
	if m.Name == "" || m.OID == "" {
		return errors.New("a metric needs name and oid")
	}
	if m.Type != "gauge" && m.Type != "counter" && m.Type != "DisplayString" {
		return fmt.Errorf("type: %q is none of gauge, counter, DisplayString", m.Type)
	}
	for _, i := range m.Indexes {
		if i.Type != "gauge" && i.Type != "DisplayString" {
			return fmt.Errorf("index %s: %q is neither gauge nor DisplayString", i.Label, i.Type)
		}
	}
	return nil
}

var errIndex = errors.New("the instance's index is not what the module says")

// labels reads what follows an object's identifier in an instance's name.
func (m Metric) labels(rest string) (names, values []string, err error) {
	numbers := strings.Split(rest, ".")
	for _, i := range m.Indexes {
		if len(numbers) == 0 {
			return nil, nil, errIndex
		}
		value := numbers[0]
		n, err := strconv.Atoi(value)
		numbers = numbers[1:]
		if i.Type == "DisplayString" {
			if err != nil || n < 0 || n > len(numbers) {
				return nil, nil, errIndex
			}
			var text []byte
			for _, number := range numbers[:n] {
				octet, err := strconv.ParseUint(number, 10, 8)
				if err != nil {
					return nil, nil, errIndex
				}
				text = append(text, byte(octet))
			}
			value, numbers = strings.ToValidUTF8(string(text), "�"), numbers[n:]
		}
		names, values = append(names, i.Label), append(values, value)
	}
	return names, values, nil
}
