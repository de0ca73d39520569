package threat

import "strings"

// scriptBreak finds script where a text breaks out of a string of a script, or of the braces of a template that runs script.
func scriptBreak(s string) bool {
	if !strings.ContainsAny(s, "(`=&") {
		return false // nothing is called or assigned
	}
	for i := range len(scriptQuotes) {
		at := strings.IndexByte(s, scriptQuotes[i])
		if at < 0 {
			continue
		}
		rest := strings.TrimLeft(s[at+1:], " \t\r\n)]}")
		if !oneOf(first(rest), scriptOperators) {
			continue
		}
		if scriptQuotes[i] == '`' && rest[0] != ';' { // the next one ends a word in code marks: `--eval`
			rest, _, _ = strings.Cut(rest, "`")
		}
		if scriptCall(strings.TrimLeft(rest, scriptOperators+" \t\r\n!~{")) {
			return true
		}
		if s[at+1] == rest[0] && oneOf(rest[0], ";-*/^|%") && scriptProbes(rest) { // no code is so dense after a string
			return true
		}
	}
	for _, open := range [...]string{"${", "{{"} {
		if at := strings.Index(s, open); at >= 0 && (scriptCall(strings.TrimLeft(s[at+2:], "{ ")) || open == "${" && scriptProbes(s[at+1:])) {
			return true
		}
	}
	return scriptConstructor(s) || scriptPassed(s) || scriptLine(strings.TrimLeft(s, ";-+}()! \t\r\n/*"))
}

const (
	scriptQuotes    = "'\"`"
	scriptOperators = ";-+*/,&|^<>?%=(:" // what goes on after a string
)

// scriptConstructor: x.constructor('…')() makes a function of a text: how the expressions of templates are left.
func scriptConstructor(s string) bool {
	const word = "constructor"
	for s = s[:min(len(s), maxValue)]; ; {
		at := strings.Index(s, word)
		if at < 0 {
			return false
		}
		rest := strings.TrimLeft(s[at+len(word):], "'\"] ")
		if at > 0 && oneOf(s[at-1], ".'\"[") && first(rest) == '(' && oneOf(first(strings.TrimLeft(rest[1:], " ")), scriptQuotes) {
			return true
		}
		s = s[at+len(word):]
	}
}

// scriptProbes: an expression near the front calls a function that only probes call, or makes one of a text.
func scriptProbes(s string) bool {
	s = s[:min(len(s), 96)]
	for i := 1; i < len(s); i++ {
		if letter(s[i-1]) || s[i-1] == '.' || s[i-1] == '_' || !letter(s[i]) {
			continue
		}
		switch rest := s[i:]; rest[0] {
		case 'a', 'c', 'p':
			for _, name := range [...]string{"alert", "confirm", "prompt"} {
				if strings.HasPrefix(rest, name) && len(rest) > len(name) && oneOf(rest[len(name)], "(`;,)") {
					return true
				}
			}
		case 'F':
			if strings.HasPrefix(rest, "Function`") || strings.HasPrefix(rest, "Function(") && len(rest) > 9 && oneOf(rest[9], scriptQuotes) {
				return true
			}
		}
	}
	return false
}

// scriptPassed: a function that only probes call, passed or assigned to be called under another name: [1].find(alert), a=alert,a(1).
func scriptPassed(s string) bool {
	for i := 1; i < len(s); i++ {
		if s[i] != '(' && s[i] != '=' || !letter(s[i-1]) {
			continue
		}
		var buf [24]byte
		name, next := scriptName(s[i+1:], buf[:])
		switch string(name) {
		case "alert", "confirm", "prompt":
			if s[i] == '(' && first(next) == ')' || s[i] == '=' && oneOf(first(next), ",;") && strings.IndexByte(next, '(') > 0 {
				return true
			}
		}
	}
	return false
}

// scriptCall: the text begins with a call or an assignment that a probe makes once it has left a string.
func scriptCall(s string) bool {
	if scriptCalls(s) {
		return true
	}
	var buf [24]byte
	name, next := scriptName(s, buf[:])
	c := first(next)
	switch string(name) {
	case "document.cookie", "document.domain", "document.location", "location.hash", "location.href", "window.location", "window.name", "window.onerror":
		return oneOf(c, "=(;)/-.+")
	case "location", "onerror":
		return c == '=' && (len(name) == 7 || strings.ContainsAny(next, scriptQuotes))
	case "fetch", "import":
		return c == '(' && strings.ContainsAny(next, scriptQuotes)
	}
	return false
}

// scriptCalls: the text begins with a call that is nearly always a probe, wherever it stands.
func scriptCalls(s string) bool {
	var buf [24]byte
	name, next := scriptName(s, buf[:])
	c := first(next)
	calls := oneOf(c, "(`") || anyFold(next, "?.(", ")(", "&lpar", "&#40", "&#x28")
	switch string(name) {
	case "alert", "alert.apply", "alert.call", "confirm", "confirm.call", "document.write", "document.writeln", "eval", "eval.call",
		"globalthis.alert", "parent.alert", "prompt", "prompt.call", "self.alert", "setinterval",
		"settimeout", "string.fromcharcode", "top.alert", "window.alert", "window.open":
		return calls
	case "frames", "globalthis", "parent", "self", "this", "top", "window": // top['al'+'ert'](1)
		return c == '[' && oneOf(first(strings.TrimLeft(next[1:], " ")), "'\"/`(") && (strings.Contains(next, "](") || strings.Contains(next, "]`"))
	}
	return false
}

// scriptLine: the text as a whole is such a call. Other languages ask and evaluate too: there a probe has a literal for argument.
func scriptLine(s string) bool {
	if !scriptCalls(s) {
		return false
	}
	if !anyFold(s, "confirm", "eval", "prompt", "settimeout", "setinterval") {
		return true
	}
	_, arg, _ := strings.Cut(s, "(")
	arg = strings.TrimLeft(arg, " (")
	return digit(first(arg)) || oneOf(first(arg), "`/") || strings.IndexByte(s, '`') > 0 ||
		anyFold(arg, "'alert", "\"alert", "atob", "document", "location", "name", "string.")
}

// scriptName splits off the dotted name that s begins with, in lower case, and what follows within reach.
func scriptName(s string, buf []byte) (name []byte, next string) {
	n := 0
	for n < len(s) && n < len(buf) && (letter(s[n]) || s[n] == '.' || s[n] == '_') {
		n++
	}
	return folded(buf, s[:n]), strings.TrimLeft(s[n:min(len(s), n+256)], " \t\r\n")
}

// scriptActs: the value of a handler does something: it calls, assigns, or names a scheme.
func scriptActs(v string) bool {
	return strings.ContainsAny(v, "(`.[=") || strings.Contains(v, "&lpar") || strings.Contains(v, "&#") || activeURL(v)
}

// scriptHides reports whether escapes of strings of scripts may hide a tag: \x3c, \u003c, \u{3c}, \74.
func scriptHides(s string) bool {
	return strings.IndexByte(s, '\\') >= 0 &&
		(strings.Contains(s, `\x3`) || strings.Contains(s, `\u003`) ||
			strings.Contains(s, `\u{3`) || strings.Contains(s, `\74`))
}

// scriptUnescape decodes them.
func scriptUnescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c, n := scriptEscape(s[i:])
		if n == 0 {
			c, n = s[i], 1
		}
		b.WriteByte(c)
		i += n - 1
	}
	return b.String()
}

// scriptEscape reads an escaped ASCII character and its length, 0 if there is none.
func scriptEscape(s string) (c byte, n int) {
	if s[0] != '\\' || len(s) < 3 {
		return 0, 0
	}
	switch {
	case s[1] == 'x' && len(s) >= 4 && hexes(s[2:4]):
		return byte(unhex(s[2])<<4 | unhex(s[3])), 4
	case s[1] == 'u' && len(s) >= 6 && s[2] == '0' && s[3] == '0' && hexes(s[4:6]):
		return byte(unhex(s[4])<<4 | unhex(s[5])), 6
	case s[1] == 'u' && len(s) >= 6 && s[2] == '{' && hexes(s[3:5]) && s[5] == '}':
		return byte(unhex(s[3])<<4 | unhex(s[4])), 6
	case s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7' && !(len(s) > 3 && digit(s[3])):
		return (s[1]-'0')<<3 | (s[2] - '0'), 3
	}
	return 0, 0
}
