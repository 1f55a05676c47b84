package mrcp

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mcp/speech/mrcp/wire"
)

// SetParams is part of speech.Tuner.
func (s *session) SetParams(ctx context.Context, resource string, params map[string]string) error {
	if err := s.need(ctx, resource); err != nil {
		return err
	}
	m := &wire.Message{Name: wire.MethodSetParams}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		m.Header.Add(name, params[name])
	}
	_, err := s.call(ctx, resource, m)
	return err
}

// Params is part of speech.Tuner.
func (s *session) Params(ctx context.Context, resource string, names ...string) (map[string]string, error) {
	if err := s.need(ctx, resource); err != nil {
		return nil, err
	}
	m := &wire.Message{Name: wire.MethodGetParams}
	for _, name := range names {
		m.Header.Add(name, "")
	}
	response, err := s.call(ctx, resource, m)
	if err != nil {
		return nil, err
	}
	params := make(map[string]string)
	for _, f := range response.Header {
		if !strings.EqualFold(f.Name, wire.HeaderChannelIdentifier) && !strings.EqualFold(f.Name, wire.HeaderContentLength) {
			params[f.Name] = f.Value
		}
	}
	return params, nil
}

// vendorLocked gives a request its Vendor-Specific-Parameters. Where the protocol
// has them in SET-PARAMS alone, one goes before the request.
func (s *session) vendorLocked(resource string, m *wire.Message, params map[string]string) {
	if len(params) == 0 {
		return
	}
	value := wire.VendorParameters(params)
	if !s.client.traits.VendorApart {
		m.Header.Add(wire.HeaderVendorSpecific, value)
		return
	}
	before := &wire.Message{Name: wire.MethodSetParams}
	before.Header.Add(wire.HeaderVendorSpecific, value)
	s.sendOptionalLocked(resource, before)
}

// merged is what both say, the second first.
func merged(general, particular map[string]string) map[string]string {
	if len(general) == 0 {
		return particular
	}
	all := maps.Clone(general)
	maps.Copy(all, particular)
	return all
}
