// Package tags checks structs by their validate tags, those of github.com/go-playground/validator, and reports what it finds
// as package validate does: all problems at once, each with its path, code, value and limit.
//
// For most uses make an [Adapter] once with [New] and call its Check. Reflection makes it some fifty times slower than
// rules in Go (validate.Rules), and it is for configurations that have tags already. It adds what the tags do not do: a float
// that is NaN or infinite is an error whatever its tag says, where +Inf passes min=0 otherwise; paths have the names that JSON
// has; and a field tagged secret:"true" never comes into a problem.
package tags

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/surefoot-ml/surefoot/validate"
)

// Adapter checks structs by their tags. It is safe for concurrent use.
type Adapter struct {
	v *validator.Validate
}

// New returns an adapter. Register own tags with Validator before the first use.
func New() *Adapter {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			return f.Name
		}
		return name
	})
	return &Adapter{v: v}
}

// Validator returns the validator that is behind the adapter.
func (a *Adapter) Validator() *validator.Validate { return a.v }

// ErrNotStruct is returned for anything but a struct or a pointer to one.
var ErrNotStruct = errors.New("tags: not a struct")

// Check adds the problems of s, a struct or a pointer to one, to c. Note that the tag required refuses zeros; for a number or
// truth value that may be zero use a pointer.
func (a *Adapter) Check(c *validate.Check, s any) (err error) {
	v := reflect.ValueOf(s)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("%w: %T", ErrNotStruct, s)
	}
	defer func() { // a tag that does not exist, or not for the type of its field
		if p := recover(); p != nil {
			err = fmt.Errorf("tags: %T: %v", s, p)
		}
	}()
	bad := map[string]bool{}
	finite(v, "", 0, func(path string, x float64) {
		bad[path] = true
		c.Finite(path, x)
	})
	var found validator.ValidationErrors
	if err := a.v.Struct(s); err != nil && !errors.As(err, &found) {
		return fmt.Errorf("tags: %T: %w", s, err)
	}
	for _, f := range found {
		path := behind(v.Type(), f.Namespace())
		if bad[path] {
			continue
		}
		p := validate.Problem{Path: path, Code: f.Tag(), Value: show(f.Value()), Limit: f.Tag()}
		if f.Param() != "" {
			p.Limit += "=" + f.Param()
		}
		if isSecret(v, behind(v.Type(), f.StructNamespace())) {
			p.Value = "[redacted]"
		}
		c.Add(p)
	}
	return nil
}

// show writes a value of a tag.
func show(v any) string {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer && !r.IsNil() {
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.String:
		s := r.String()
		if len(s) > 96 {
			return strconv.Quote(s[:96]) + fmt.Sprintf("… (%d bytes more)", len(s)-96)
		}
		return strconv.Quote(s)
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return fmt.Sprint(r.Interface())
	case reflect.Slice, reflect.Map, reflect.Array:
		return fmt.Sprintf("of %d elements", r.Len())
	}
	return "" // whatever else it is may hold a secret
}

// behind returns a path without the name of the type, which may have dots itself.
func behind(t reflect.Type, path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, t.Name()), ".")
}

// isSecret follows the path of a field by its names in Go, such as Layers[2].Key, and reports whether it or what it is
// in is tagged as a secret. What cannot be followed is taken for one: the keys of maps are free text, and an interface holds
// any type.
func isSecret(v reflect.Value, path string) bool {
	t := v.Type()
	for path != "" {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return true
		}
		end := strings.IndexAny(path+".", ".[")
		f, ok := t.FieldByName(path[:end])
		if !ok || f.Tag.Get("secret") == "true" {
			return true
		}
		t, path = f.Type, path[end:]
		for e := f.Type; strings.HasPrefix(path, "["); e = e.Elem() {
			for e.Kind() == reflect.Pointer {
				e = e.Elem()
			}
			cut := strings.IndexByte(path, ']')
			if e.Kind() == reflect.Map && strings.ContainsAny(path[1:], "[.") && strings.Count(path, "]") > 1 || cut < 0 {
				return true // a key that might hold anything
			}
			if e.Kind() != reflect.Map && e.Kind() != reflect.Slice && e.Kind() != reflect.Array {
				return true
			}
			path = path[cut+1:]
		}
		path = strings.TrimPrefix(path, ".")
	}
	return false
}

// finite calls bad for every float inside of v that is NaN or infinite.
func finite(v reflect.Value, path string, depth int, bad func(path string, x float64)) {
	if depth > 32 {
		return // a ring of pointers
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			bad(path, x)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			finite(v.Elem(), path, depth+1, bad)
		}
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Uint8, reflect.String, reflect.Bool, reflect.Int:
			return
		}
		for i := range v.Len() {
			finite(v.Index(i), path+"["+strconv.Itoa(i)+"]", depth+1, bad)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			finite(it.Value(), path+"["+fmt.Sprint(it.Key())+"]", depth+1, bad)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() && !f.Anonymous {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || name == "" {
				name = f.Name
			}
			if path != "" {
				name = path + "." + name
			}
			finite(v.Field(i), name, depth+1, bad)
		}
	}
}
