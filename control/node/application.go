package node

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"mcp/control/node/orchestrating"
	"mcp/control/route"
)

// Application is the section of applications.
type Application struct {
	Default string               `yaml:"default" live:"true" doc:"URL of the application for calls that name none; empty: the built-in one"`
	Page    string               `yaml:"defaults" names:"file" doc:"file of the VoiceXML page whose handlers, links and properties stand around every application; empty: the built-in one"`
	Tell    []string             `yaml:"tell" doc:"session variables that the first page is asked for with, as the product does: session.connection.local.uri, ...; each call then has a page of its own to fetch and compile"`
	Logs    string               `yaml:"logs" doc:"directory below which the files are that pages log to, by log gvp:dest=file:/NAME; empty: pages write no files"`
	Trace   string               `yaml:"trace" doc:"directory of the socket by which mcp vxml trace follows calls; empty: none"`
	Numbers map[string]string    `yaml:"numbers" live:"true" doc:"by the number dialled: an application's URL, or a service such as annc;play=URL, conf=NAME, msml, ors;src=URL"`
	ORS     orchestrating.Config `yaml:"ors" doc:"orchestration servers"`
	Scripts Scripts              `yaml:"scripts" doc:"what one script or expression of a page may use; what exceeds that throws error.semantic"`
}

// Validate checks what numbers stand for, as far as that can be known before a call.
func (a Application) Validate() error {
	all := []error{pageFault("default", a.Default)}
	for _, number := range slices.Sorted(maps.Keys(a.Numbers)) {
		all = append(all, a.numberFault(number))
	}
	return errors.Join(all...)
}

func (a Application) numberFault(number string) error {
	key, target := "numbers."+number, a.Numbers[number]
	request, err := route.Table{Numbers: map[string]string{"number": target}}.Select(route.URI{User: "number"})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %q: %w", key, target, err)
	case request.Service == route.ORS && len(a.ORS.URLs) == 0:
		return fmt.Errorf("%s: %q needs application.ors.urls", key, target)
	case request.Service == route.Dialog:
		return pageFault(key, request.Params["voicexml"])
	}
	return nil
}

// pageSchemes are those of pages. What has none is the path of a file.
var pageSchemes = []string{"", "http", "https", "file", "builtin"}

func pageFault(key, page string) error {
	u, err := url.Parse(page)
	if err != nil || !slices.Contains(pageSchemes, strings.ToLower(u.Scheme)) {
		return fmt.Errorf("%s: %q is neither a page's URL, such as http://web.example/main.vxml, nor a service, such as annc;play=URL", key, page)
	}
	return nil
}
