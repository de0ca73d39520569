package redact

import (
	"reflect"
	"strings"
)

// plan says what of a struct is looked at.
type plan struct{ fields []field }

type field struct {
	name, goName string
	index        []int
	kind         Kind // if it is a secret by its tag
	omitEmpty    bool
	omitZero     bool
}

// planOf returns the plan of a struct type.
func (r *Redactor) planOf(t reflect.Type) *plan {
	if p, ok := r.plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	p.add(t, nil, map[reflect.Type]bool{})
	actual, _ := r.plans.LoadOrStore(t, p)
	return actual.(*plan)
}

// add appends the fields of t, and those of embedded structs in their place.
func (p *plan) add(t reflect.Type, index []int, on map[reflect.Type]bool) {
	if on[t] {
		return
	}
	on[t] = true
	defer delete(on, t)
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		at := append(append([]int(nil), index...), i)
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer && f.IsExported() {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && f.Tag.Get("redact") == "" {
				p.add(inner, at, on)
				continue
			}
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		kind := Kind(f.Tag.Get("redact"))
		if kind != "" && !validKind(string(kind)) {
			kind = "secret"
		}
		p.fields = append(p.fields, field{name: name, goName: f.Name, index: at, kind: kind,
			omitEmpty: hasOption(options, "omitempty"), omitZero: hasOption(options, "omitzero")})
	}
}

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}
