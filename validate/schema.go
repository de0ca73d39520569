package validate

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
)

// object is a JSON Schema of an object in the making.
type object struct {
	properties map[string]any
	required   map[string]bool
}

func newObject() *object {
	return &object{properties: map[string]any{}, required: map[string]bool{}}
}

// add puts a field into the object or, for a name with dots, into one inside. A field that is there keeps its first entry.
func (o *object) add(name string, required bool, s any) {
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		if _, there := o.properties[name]; !there {
			o.properties[name] = s
		}
	} else {
		inner, ok := o.properties[first].(*object)
		if !ok {
			inner = newObject()
			o.properties[first] = inner
		}
		inner.add(rest, required, s)
	}
	if required {
		o.required[first] = true
	}
}

// MarshalJSON writes the keys in order, so that a schema does not change from one writing to the next.
func (o *object) MarshalJSON() ([]byte, error) {
	s := map[string]any{"type": "object", "properties": o.properties, "additionalProperties": false}
	if len(o.required) > 0 {
		s["required"] = slices.Sorted(maps.Keys(o.required))
	}
	return json.Marshal(s)
}

// Schema returns the rules as a JSON Schema (draft 2020-12), with the errors and without the warnings and own rules. A
// field is required where its absence, which Go reads as zero, would be an error. Other fields than these are not allowed.
func (r *Rules[T]) Schema() ([]byte, error) {
	o := newObject()
	r.describe(o)
	s := struct {
		Schema string `json:"$schema"`
		*schemaBody
	}{"https://json-schema.org/draft/2020-12/schema", &schemaBody{Type: "object", Properties: o.properties,
		Required: slices.Sorted(maps.Keys(o.required))}}
	return json.MarshalIndent(s, "", "  ")
}

type schemaBody struct {
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`
	Required   []string       `json:"required,omitempty"`
	Additional bool           `json:"additionalProperties"`
}

func (r *Rules[T]) describe(o *object) {
	if r == nil {
		return
	}
	for _, f := range r.fields {
		f.describe(o)
	}
}

// needed reports whether f does without a value.
func needed[T any](f Field[T]) bool {
	var c Check
	var zero T
	s := f.step()
	if s.passes(&zero) {
		return false
	}
	f.report(&c, &zero)
	return c.Err() != nil
}

func documented(s map[string]any, doc string) map[string]any {
	if doc != "" {
		s["description"] = doc
	}
	return s
}

func (f Float[T]) describe(o *object) {
	s := map[string]any{"type": "number"}
	if !math.IsInf(f.Min, -1) {
		key := "minimum"
		if f.Above {
			key = "exclusiveMinimum"
		}
		s[key] = f.Min
	}
	if !math.IsInf(f.Max, 1) {
		s["maximum"] = f.Max
	}
	o.add(f.Name, needed[T](f), documented(s, f.Doc))
}

func (f Int[T]) describe(o *object) {
	s := map[string]any{"type": "integer", "minimum": f.Min}
	if f.Max != math.MaxInt {
		s["maximum"] = f.Max
	}
	o.add(f.Name, needed[T](f), documented(s, f.Doc))
}

func (f Duration[T]) describe(o *object) {
	doc := strings.TrimSpace(f.Doc + " (nanoseconds)")
	o.add(f.Name, needed[T](f), map[string]any{"type": "integer", "minimum": int64(f.Min), "maximum": int64(f.Max), "description": doc})
}

func (f Bool[T]) describe(o *object) {
	o.add(f.Name, needed[T](f), documented(map[string]any{"type": "boolean"}, f.Doc))
}

func (f String[T]) describe(o *object) {
	s := map[string]any{"type": "string"}
	if f.Min > 0 {
		s["minLength"] = f.Min
	}
	if f.Max > 0 {
		s["maxLength"] = f.Max
	}
	if f.OneOf != nil {
		s["enum"] = f.OneOf
	}
	if f.Pattern != nil {
		s["pattern"] = f.Pattern.String()
	}
	switch f.Kind {
	case SecretText:
		s["writeOnly"], s["minLength"] = true, max(1, f.Min)
	case ZoneText:
		if f.Pattern == nil {
			s["pattern"] = zonePattern
		}
	}
	o.add(f.Name, needed[T](f), documented(s, f.Doc))
}

func (f Part[T, U]) describe(o *object) {
	inner := newObject()
	f.Rules.describe(inner)
	o.add(f.Name, needed[T](f), inner)
}

func (f Each[T, U]) describe(o *object) {
	inner := newObject()
	f.Rules.describe(inner)
	o.add(f.Name, needed[T](f), map[string]any{"type": "array", "minItems": f.Min, "maxItems": f.Max, "items": inner})
}
