package redact

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object or array that is being written.
type object struct {
	some  bool
	names names
}

func (w *walk) open(bracket byte) object {
	w.dst = append(w.dst, bracket)
	return object{}
}

func (w *walk) next(o *object) {
	if o.some {
		w.dst = append(w.dst, ',')
	}
	o.some = true
}

// name appends a name and a colon, and reports whether it is a key. other is another name of the same.
func (w *walk) name(o *object, name, other string) (kind Kind, secret bool) {
	if kind, secret = w.r.keys.match(name); !secret && other != "" {
		kind, secret = w.r.keys.match(other)
	}
	w.next(o)
	unique, _ := o.names.unique(w.r.String(name))
	w.dst = append(appendQuoted(w.dst, unique), ':')
	return kind, secret
}

// secret appends the mark of a value, unless there is nothing in it.
func (w *walk) secret(kind Kind, v reflect.Value) {
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) && !v.IsNil() {
		v = v.Elem()
	}
	text := ""
	switch {
	case !v.IsValid() || isNilable(v.Kind()) && v.IsNil():
		w.dst = append(w.dst, "null"...)
		return
	case v.Kind() == reflect.Bool:
		w.dst = strconv.AppendBool(w.dst, v.Bool())
		return
	case v.Kind() == reflect.String:
		text = v.String()
		if text == "" || isMark(text) {
			w.dst = appendQuoted(w.dst, text)
			return
		}
	case w.r.digestKey != nil && v.CanInterface():
		text = call(func() string { return fmt.Sprint(v.Interface()) })
	}
	w.dst = appendQuoted(w.dst, w.r.mark(kind, text))
}

// reference appends what a pointer, map or slice leads to.
func (w *walk) reference(v reflect.Value, depth int) {
	at := visit{ptr: v.Pointer(), typ: v.Type()}
	if v.Kind() == reflect.Slice {
		at.len = v.Len()
	}
	if slices.Contains(w.path, at) {
		w.dst = appendQuoted(w.dst, cycleMark)
		return
	}
	w.path = append(w.path, at)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	switch v.Kind() {
	case reflect.Pointer:
		w.value(v.Elem(), depth+1)
	case reflect.Map:
		w.entries(v, depth)
	default:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.CanInterface() {
			if b := v.Bytes(); w.encoded(reflect.ValueOf(b), depth) {
				return
			}
		}
		w.elements(v, depth)
	}
}

func (w *walk) elements(v reflect.Value, depth int) {
	o := w.open('[')
	for i := range v.Len() {
		w.next(&o)
		if w.nodes >= maxNodes {
			w.dst = appendQuoted(w.dst, sizeMark)
			break
		}
		w.value(v.Index(i), depth+1)
	}
	w.dst = append(w.dst, ']')
}

// entries appends a map in the order of its names.
func (w *walk) entries(v reflect.Value, depth int) {
	type entry struct {
		name  string
		value reflect.Value
	}
	list := make([]entry, 0, min(v.Len(), maxNodes))
	for it := v.MapRange(); it.Next() && len(list) < maxNodes; {
		list = append(list, entry{w.nameOf(it.Key()), it.Value()})
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	o := w.open('{')
	for _, e := range list {
		if w.nodes >= maxNodes {
			w.next(&o)
			w.dst = append(appendQuoted(w.dst, sizeMark), ":null"...)
			break
		}
		if kind, secret := w.name(&o, e.name, ""); secret {
			w.secret(kind, e.value)
		} else {
			w.value(e.value, depth+1)
		}
	}
	w.dst = append(w.dst, '}')
}

// nameOf returns the name of a map's key.
func (w *walk) nameOf(k reflect.Value) string {
	for k.Kind() == reflect.Interface && !k.IsNil() {
		k = k.Elem()
	}
	if k.Kind() == reflect.String {
		return k.String()
	}
	if text, ok := w.textOf(k); ok {
		return text
	}
	inner := walk{r: w.r, nodes: w.nodes}
	inner.value(k, maxDepth-4)
	w.nodes = inner.nodes
	return string(inner.dst)
}

// fields appends a struct.
func (w *walk) fields(v reflect.Value, depth int) {
	o := w.open('{')
	for _, f := range w.r.planOf(v.Type()).fields {
		fv, err := v.FieldByIndexErr(f.index)
		if err != nil || f.omitEmpty && isEmpty(fv) || f.omitZero && fv.IsZero() {
			continue
		}
		if kind, secret := w.name(&o, f.name, f.goName); f.kind != "" {
			w.secret(f.kind, fv)
		} else if secret {
			w.secret(kind, fv)
		} else {
			w.value(fv, depth+1)
		}
	}
	w.dst = append(w.dst, '}')
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
