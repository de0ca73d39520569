package redact

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strconv"
	"time"
)

const (
	maxNodes = 1 << 16 // values in one that are looked at

	cycleMark = markOpen + "cycle]"
	sizeMark  = markOpen + "size]"
	panicMark = markOpen + "panic]" // the text of a panic may hold a secret

	cardNumber = 1e12 // integers from here on are looked at for the numbers of cards
)

// Clean is a value that Redactor.Value went through. It has a form as JSON and one as text, both without secrets, and no
// way back to the value. Numbers that JSON does not have are the strings "NaN", "+Inf" and "-Inf" in it.
type Clean struct {
	json []byte
	text string // if not the JSON
}

// MarshalJSON returns the JSON.
func (c Clean) MarshalJSON() ([]byte, error) {
	if c.json == nil {
		return []byte("null"), nil
	}
	return c.json, nil
}

// MarshalText returns the text, which for a value that has parts is the JSON too.
func (c Clean) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the text.
func (c Clean) String() string {
	if c.text == "" {
		return string(c.json)
	}
	return c.text
}

// Value goes through any value, as deep as 64 levels and as far as 65536 values, and returns what is left without secrets.
// It resolves slog.LogValuer wherever it stands; asks what encodes itself as JSON or text to do so, and redacts that;
// takes errors for their text; and otherwise looks at what encoding/json looks at: exported fields under their JSON names,
// keys and values of maps, elements, what pointers point to. A field with a tag `redact:"kind"` is a secret whatever its
// name. Methods that panic, cycles, and what is too deep or too much leave a mark.
func (r *Redactor) Value(v any) Clean {
	if r.unusable() {
		return Clean{json: []byte(`"` + allMark + `"`), text: allMark}
	}
	w := walk{r: r}
	rv := reflect.ValueOf(v)
	if text, ok := w.textOf(rv); ok {
		return Clean{json: appendQuoted(nil, text), text: text}
	}
	w.value(rv, 0)
	c := Clean{json: w.dst}
	if b, ok := v.([]byte); ok {
		c.text = r.String(string(b))
	} else if len(c.json) > 1 && c.json[0] == '"' {
		c.text, _ = unquote(string(c.json[1:len(c.json)-1]), true)
	} else if s, ok := v.(fmt.Stringer); ok && isScalar(rv.Kind()) {
		c.text = r.String(call(s.String))
	}
	return c
}

func isScalar(k reflect.Kind) bool { return k >= reflect.Bool && k <= reflect.Complex128 }

// call returns what a method does, and a mark if it panics.
func call(method func() string) (text string) {
	defer func() {
		if recover() != nil {
			text = panicMark
		}
	}()
	return method()
}

func errorText(err error) string { return call(err.Error) }

// walk appends the JSON of a value to dst.
type walk struct {
	r     *Redactor
	dst   []byte
	nodes int
	path  []visit
}

// visit is a pointer, map or slice that is being walked through.
type visit struct {
	ptr uintptr
	len int
	typ reflect.Type
}

func (w *walk) string(s string) { w.dst = appendQuoted(w.dst, w.r.String(s)) }

// raw appends JSON that somebody else has made.
func (w *walk) raw(src []byte) { w.dst = w.r.JSON(w.dst, src) }

// value appends v.
func (w *walk) value(v reflect.Value, depth int) {
	for v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	if w.nodes++; w.nodes > maxNodes {
		w.dst = appendQuoted(w.dst, sizeMark)
		return
	}
	if !v.IsValid() || isNilable(v.Kind()) && v.IsNil() {
		w.dst = append(w.dst, "null"...)
		return
	}
	if depth >= maxDepth {
		w.dst = append(w.dst, depthMark...)
		return
	}
	if text, ok := w.textOf(v); ok {
		w.dst = appendQuoted(w.dst, text)
		return
	}
	if w.encoded(v, depth) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		w.dst = strconv.AppendBool(w.dst, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.integer(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		w.integer(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		w.dst = appendFloat(w.dst, v.Float(), v.Type().Bits())
	case reflect.String:
		w.string(v.String())
	case reflect.Pointer, reflect.Map, reflect.Slice:
		w.reference(v, depth)
	case reflect.Array:
		w.elements(v, depth)
	case reflect.Struct:
		w.fields(v, depth)
	case reflect.Complex64, reflect.Complex128:
		w.string(strconv.FormatComplex(v.Complex(), 'g', -1, v.Type().Bits()))
	default: // channels, functions, unsafe pointers
		w.string("[" + v.Type().String() + "]")
	}
}

func isNilable(k reflect.Kind) bool {
	switch k {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	}
	return false
}

func (w *walk) integer(s string) {
	if len(s) >= 13 && w.r.Has(s) {
		w.string(s)
		return
	}
	w.dst = append(w.dst, s...)
}

// textOf returns the text of a value that stands for one.
func (w *walk) textOf(v reflect.Value) (string, bool) {
	if !v.IsValid() || !v.CanInterface() || isNilable(v.Kind()) && v.IsNil() {
		return "", false
	}
	x := target(v)
	switch x.(type) {
	case slog.LogValuer, json.Marshaler, slog.Value, slog.Attr:
		return "", false
	}
	switch x := x.(type) {
	case url.URL:
		return w.r.String(x.String()), true
	case *url.URL:
		return w.r.String(x.String()), true
	case *url.Userinfo:
		return w.r.mark(URLUser, x.String()), true
	case error:
		return w.r.String(errorText(x)), true
	case encoding.TextMarshaler:
		return w.r.String(call(func() string {
			text, err := x.MarshalText()
			if err != nil {
				return "!ERROR:" + err.Error()
			}
			return string(text)
		})), true
	case fmt.Stringer:
		t := v.Type()
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct && len(w.r.planOf(t).fields) == 0 {
			return w.r.String(call(x.String)), true
		}
	}
	return "", false
}

// target returns a value, or a pointer to it where only that has a form of its own.
func target(v reflect.Value) any {
	x := v.Interface()
	if v.Type().PkgPath() == "" || !v.CanAddr() || hasForm(x) {
		return x
	}
	if p := v.Addr(); p.CanInterface() && hasForm(p.Interface()) {
		return p.Interface()
	}
	return x
}

func hasForm(x any) bool {
	switch x.(type) {
	case slog.LogValuer, json.Marshaler, encoding.TextMarshaler, error, fmt.Stringer, slog.Attr:
		return true
	}
	return false
}

// encoded appends a value that knows its own form.
func (w *walk) encoded(v reflect.Value, depth int) bool {
	if !v.CanInterface() {
		return false
	}
	switch x := target(v).(type) {
	case slog.Value:
		w.slogValue(x, depth)
	case slog.Attr:
		w.attrs([]slog.Attr{x}, depth)
	case []slog.Attr:
		w.attrs(x, depth)
	case slog.LogValuer:
		w.slogValue(slog.AnyValue(x), depth)
	case time.Time:
		w.dst = append(x.AppendFormat(append(w.dst, '"'), time.RFC3339Nano), '"')
	case json.RawMessage:
		w.raw(x)
	case json.Number:
		w.raw([]byte(x))
	case json.Marshaler:
		failed := ""
		out := call(func() string {
			b, err := x.MarshalJSON()
			if err != nil {
				failed = "!ERROR:" + err.Error()
			}
			return string(b)
		})
		switch {
		case failed != "":
			w.string(failed)
		case out == panicMark:
			w.string(out)
		default:
			w.raw([]byte(out))
		}
	case []byte:
		clean := x
		if w.r.Has(string(x)) {
			clean = w.r.Append(nil, string(x))
		}
		w.dst = append(w.dst, '"')
		w.dst = base64.StdEncoding.AppendEncode(w.dst, clean)
		w.dst = append(w.dst, '"')
	default:
		return false
	}
	return true
}

// slogValue appends what a value resolves to.
func (w *walk) slogValue(v slog.Value, depth int) {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		w.attrs(v.Group(), depth)
	case slog.KindDuration:
		w.dst = strconv.AppendInt(w.dst, int64(v.Duration()), 10)
	default:
		w.value(reflect.ValueOf(v.Any()), depth+1)
	}
}

func (w *walk) attrs(list []slog.Attr, depth int) {
	if depth >= maxDepth {
		w.dst = append(w.dst, depthMark...)
		return
	}
	o := w.open('{')
	for _, a := range list {
		if a.Equal(slog.Attr{}) {
			continue
		}
		if kind, secret := w.name(&o, a.Key, ""); secret {
			w.secret(kind, reflect.ValueOf(a.Value.Resolve().Any()))
		} else {
			w.slogValue(a.Value, depth+1)
		}
	}
	w.dst = append(w.dst, '}')
}
