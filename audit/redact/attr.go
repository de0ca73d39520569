package redact

import (
	"log/slog"
	"math"
	"strconv"
)

// Attr returns an attribute as it may be logged: with its value resolved, without secrets, and with numbers that are not
// finite as strings. Groups are those that it stands in, outermost first; a key among them makes everything inside a
// secret. It has the form of slog.HandlerOptions.ReplaceAttr, but a handler that calls it there does so only for what is
// not a group; package logging has a handler that leaves nothing out.
func (r *Redactor) Attr(groups []string, a slog.Attr) slog.Attr {
	for _, g := range groups {
		if kind, secret := r.Key(g); secret {
			clean, _ := r.secretAttr(kind, a)
			return clean
		}
	}
	clean, _ := r.Clean(a)
	return clean
}

// Plain reports whether Clean surely leaves an attribute as it is. It is much the faster of the two.
func (r *Redactor) Plain(a slog.Attr) bool {
	if r.unusable() {
		return false
	}
	if what, _ := r.keys.ending(a.Key, len(a.Key)); what != 0 {
		if _, secret := r.keys.match(a.Key); secret {
			return false
		}
	}
	if _, found := r.find(a.Key, 0); found {
		return false
	}
	switch a.Value.Kind() {
	case slog.KindString:
		_, found := r.find(a.Value.String(), 0)
		return !found
	case slog.KindBool, slog.KindDuration, slog.KindTime:
		return true
	case slog.KindInt64:
		i := a.Value.Int64()
		return i < cardNumber && i > -cardNumber
	case slog.KindUint64:
		return a.Value.Uint64() < cardNumber
	case slog.KindFloat64:
		f := a.Value.Float64()
		return f-f == 0 // neither NaN nor infinite
	}
	return false
}

// Clean is Attr outside of all groups. It reports whether anything had to change.
func (r *Redactor) Clean(a slog.Attr) (clean slog.Attr, changed bool) {
	if r.unusable() {
		return slog.String(a.Key, allMark), true
	}
	return r.member(a, 0)
}

func (r *Redactor) slogValue(v slog.Value, depth int) (clean slog.Value, changed bool) {
	switch v.Kind() {
	case slog.KindString:
		if s := v.String(); r.Has(s) {
			return slog.StringValue(r.String(s)), true
		}
	case slog.KindInt64:
		if i := v.Int64(); (i >= cardNumber || i <= -cardNumber) && r.Has(strconv.FormatInt(i, 10)) {
			return slog.StringValue(r.String(strconv.FormatInt(i, 10))), true
		}
	case slog.KindUint64:
		if i := v.Uint64(); i >= cardNumber && r.Has(strconv.FormatUint(i, 10)) {
			return slog.StringValue(r.String(strconv.FormatUint(i, 10))), true
		}
	case slog.KindFloat64:
		if f := v.Float64(); math.IsNaN(f) || math.IsInf(f, 0) {
			return slog.StringValue(strconv.FormatFloat(f, 'g', -1, 64)), true
		}
	case slog.KindGroup:
		return r.group(v, depth)
	case slog.KindLogValuer:
		resolved := v.Resolve()
		clean, _ = r.slogValue(resolved, depth)
		return clean, true
	case slog.KindAny:
		x := v.Any()
		if x == nil {
			return v, false
		}
		c := r.Value(x)
		if len(c.json) > 0 && c.json[0] == '"' {
			if _, binary := x.([]byte); !binary {
				return slog.StringValue(c.text), true
			}
		}
		return slog.AnyValue(c), true
	}
	return v, false
}

func (r *Redactor) group(v slog.Value, depth int) (slog.Value, bool) {
	if depth >= maxDepth {
		return slog.StringValue(markOpen + "depth]"), true
	}
	members := v.Group()
	var clean []slog.Attr
	for i, m := range members {
		c, changed := r.member(m, depth+1)
		if changed && clean == nil {
			clean = append(make([]slog.Attr, 0, len(members)), members[:i]...)
		}
		if clean != nil {
			clean = append(clean, c)
		}
	}
	if clean == nil {
		return v, false
	}
	return slog.GroupValue(clean...), true
}

func (r *Redactor) member(a slog.Attr, depth int) (clean slog.Attr, changed bool) {
	if kind, secret := r.keys.match(a.Key); secret {
		return r.secretAttr(kind, a)
	}
	if r.Has(a.Key) {
		a.Key, changed = r.String(a.Key), true
	}
	value, other := r.slogValue(a.Value, depth)
	if other {
		a.Value = value
	}
	return a, changed || other
}

// secretAttr replaces the whole value of an attribute, unless there is nothing in it.
func (r *Redactor) secretAttr(kind Kind, a slog.Attr) (slog.Attr, bool) {
	if r.unusable() {
		return slog.String(a.Key, allMark), true
	}
	v := a.Value.Resolve()
	text := ""
	switch v.Kind() {
	case slog.KindBool:
		return slog.Attr{Key: a.Key, Value: v}, a.Value.Kind() == slog.KindLogValuer
	case slog.KindString:
		if text = v.String(); text == "" || isMark(text) {
			return slog.Attr{Key: a.Key, Value: v}, a.Value.Kind() == slog.KindLogValuer
		}
	case slog.KindGroup:
		if len(v.Group()) == 0 {
			return a, false
		}
	case slog.KindAny:
		if v.Any() == nil {
			return a, false
		}
	}
	if text == "" && r.digestKey != nil {
		text = call(v.String)
	}
	return slog.String(r.String(a.Key), r.mark(kind, text)), true
}
