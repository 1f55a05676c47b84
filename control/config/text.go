package config

import (
	"encoding"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setText sets a leaf that is neither a slice nor a map from its text. Errors
// say what was expected, since the operator knows what was written.
func setText(v reflect.Value, text string) error {
	switch target := v.Addr().Interface().(type) {
	case *url.URL:
		return setURL(target, text)
	case encoding.TextUnmarshaler:
		if err := target.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%q is no %s: %w", text, kindName(v.Type()), err)
		}
		return nil
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration, such as 1.5s or 2m", text)
		}
		*target = d
		return nil
	}
	return setBasic(v, text)
}

func setBasic(v reflect.Value, text string) error {
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, v.Type().Bits()); err == nil {
			v.SetUint(n)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, v.Type().Bits()); err == nil {
			v.SetFloat(f)
		}
	default:
		return fmt.Errorf("%s cannot be configured", v.Type())
	}
	if err != nil {
		return fmt.Errorf("%q is no %s", text, kindName(v.Type()))
	}
	return nil
}

// setURL takes absolute URLs only: there is no page that one could be relative to.
func setURL(target *url.URL, text string) error {
	if text == "" {
		*target = url.URL{}
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return fmt.Errorf("%q is no absolute URL", text)
	}
	*target = *u
	return nil
}

// textOf is the text that setText would set a leaf from.
func textOf(v reflect.Value) (string, error) {
	switch x := v.Interface().(type) {
	case url.URL:
		return x.String(), nil
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		return string(b), err
	case time.Duration:
		return durationText(x), nil
	}
	return fmt.Sprint(v.Interface()), nil
}

// durationText leaves out what is zero at the end: 2m, not 2m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// kindName says in words what a leaf holds.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[url.URL]():
		return "URL"
	case t == reflect.TypeFor[Size]():
		return "size"
	case isText(t):
		return strings.TrimPrefix(t.String(), "netip.")
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("whole number of %d bits", t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + kindName(t.Elem())
	case reflect.Map:
		return "map to " + kindName(t.Elem())
	case reflect.Struct:
		return "section"
	}
	return t.Kind().String()
}
