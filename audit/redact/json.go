package redact

import (
	"encoding/json"
	"strconv"
	"strings"
)

const maxDepth = 64 // of values inside values that are looked at

const (
	malformedMark = `"` + markOpen + `malformed]"`
	depthMark     = `"` + markOpen + `depth]"`
)

// JSON appends a JSON value without its secrets to dst: what stands under a key, in the texts of strings and of long
// numbers, and in names. All else stays as it is, byte for byte. Names that become equal by redaction are numbered, so that
// an object's names stay distinct. The result is valid JSON if src is; where src is seen not to be, or is nested more than
// 64 deep, a mark takes its place. src and dst must not overlap.
func (r *Redactor) JSON(dst, src []byte) []byte {
	if r.unusable() {
		return append(dst, `"`+allMark+`"`...)
	}
	start := len(dst)
	p := jsonScan{r: r, s: string(src), dst: dst}
	p.space()
	if p.value(0); !p.bad {
		p.space()
	}
	if p.bad || p.i != len(p.s) {
		return append(dst[:start], malformedMark...)
	}
	return append(p.dst, p.s[p.done:]...)
}

// jsonScan walks over a JSON text. What lies between done and i is unchanged and not copied yet.
type jsonScan struct {
	r       *Redactor
	s       string
	i, done int
	dst     []byte
	bad     bool
}

// replace puts text in the place of the bytes from start to i.
func (p *jsonScan) replace(start int) []byte {
	p.dst = append(p.dst, p.s[p.done:start]...)
	p.done = p.i
	return p.dst
}

func (p *jsonScan) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *jsonScan) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *jsonScan) fail() { p.bad = true }

// value walks over one value.
func (p *jsonScan) value(depth int) {
	if p.i >= len(p.s) {
		p.fail()
		return
	}
	start := p.i
	switch c := p.s[p.i]; {
	case c == '"':
		raw, escaped := p.string()
		if p.bad {
			return
		}
		if text, changed := p.text(raw, escaped); changed {
			p.dst = appendQuoted(p.replace(start), text)
		}
	case c == '{' || c == '[':
		if depth == maxDepth {
			if p.skip(); !p.bad {
				p.dst = append(p.replace(start), depthMark...)
			}
			return
		}
		p.i++
		if c == '{' {
			p.object(depth)
		} else {
			p.array(depth)
		}
	case c == '-' || isDigit(c):
		p.scalar()
		if number := p.s[start:p.i]; len(number) >= 13 && p.r.Has(number) {
			p.dst = appendQuoted(p.replace(start), p.r.String(number))
		}
	default:
		p.scalar()
		if word := p.s[start:p.i]; word != "null" && word != "true" && word != "false" {
			p.fail()
		}
	}
}

func (p *jsonScan) array(depth int) {
	if p.space(); p.take(']') {
		return
	}
	for !p.bad {
		p.space()
		p.value(depth + 1)
		p.space()
		if p.take(']') {
			return
		}
		if !p.take(',') {
			p.fail()
		}
	}
}

func (p *jsonScan) object(depth int) {
	if p.space(); p.take('}') {
		return
	}
	var names names
	for !p.bad {
		p.space()
		start := p.i
		raw, escaped := p.string()
		if p.bad {
			return
		}
		name, changed := p.text(raw, escaped)
		kind, secret := p.r.keys.match(name)
		if unique, renamed := names.unique(name); changed || renamed {
			p.dst = appendQuoted(p.replace(start), unique)
		}
		p.space()
		if !p.take(':') {
			p.fail()
			return
		}
		p.space()
		if start = p.i; !secret {
			p.value(depth + 1)
		} else if p.skip(); !p.bad && !saysNothing(p.s[start:p.i]) {
			value := p.s[start:p.i]
			if value[0] == '"' { // equal secrets have equal marks, however they were found
				value, _ = unquote(value[1:len(value)-1], strings.IndexByte(value, '\\') >= 0)
			}
			p.dst = appendQuoted(p.replace(start), p.r.mark(kind, value))
		}
		p.space()
		if p.take('}') {
			return
		}
		if !p.take(',') {
			p.fail()
		}
	}
}

// saysNothing reports whether a JSON value is no secret even under a key.
func saysNothing(value string) bool {
	switch value {
	case "null", "true", "false", `""`, "{}", "[]":
		return true
	}
	return value[0] == '"' && isMark(value[1:len(value)-1])
}

// string walks over a string and returns what stands between its quotes.
func (p *jsonScan) string() (raw string, escaped bool) {
	if !p.take('"') {
		p.fail()
		return "", false
	}
	start := p.i
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[start : p.i-1], escaped
		case c == '\\':
			escaped = true
			p.i++
		case c < ' ':
			p.fail()
			return "", false
		}
	}
	p.fail()
	return "", false
}

// text returns the text of a string without its secrets, and whether it had any.
func (p *jsonScan) text(raw string, escaped bool) (text string, changed bool) {
	text, ok := unquote(raw, escaped)
	if !ok {
		p.fail()
		return "", false
	}
	if _, changed = p.r.find(text, 0); changed {
		text = p.r.String(text)
	}
	return text, changed
}

func unquote(raw string, escaped bool) (text string, ok bool) {
	if !escaped {
		return raw, true
	}
	return decode(raw)
}

func decode(raw string) (string, bool) {
	var text string
	err := json.Unmarshal([]byte(`"`+raw+`"`), &text)
	return text, err == nil
}

// scalar walks over a number or a word.
func (p *jsonScan) scalar() {
	for p.i < len(p.s) && (isAlnum(p.s[p.i]) || p.s[p.i] == '-' || p.s[p.i] == '+' || p.s[p.i] == '.') {
		p.i++
	}
}

// skip walks over a value without looking at what is in it.
func (p *jsonScan) skip() {
	depth := 0
	for !p.bad && p.i < len(p.s) {
		switch p.s[p.i] {
		case '"':
			p.string()
		case '{', '[':
			depth++
			p.i++
		case '}', ']':
			if depth == 0 {
				p.fail()
				return
			}
			depth--
			p.i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				p.fail()
				return
			}
			p.i++
		default:
			start := p.i
			if p.scalar(); p.i == start {
				p.fail()
			}
		}
		if depth == 0 {
			return
		}
	}
	p.fail()
}

// names keeps the names of an object distinct after redaction.
type names struct{ seen map[string]int }

func (n *names) unique(name string) (unique string, renamed bool) {
	if !strings.Contains(name, markOpen) {
		return name, false
	}
	if n.seen == nil {
		n.seen = make(map[string]int)
	}
	n.seen[name]++
	for k := n.seen[name]; k > 1; k++ {
		unique = name + "~" + strconv.Itoa(k)
		if n.seen[unique] == 0 {
			n.seen[unique]++
			return unique, true
		}
	}
	return name, false
}
