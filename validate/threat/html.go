package threat

import (
	"html"
	"strings"
)

// HTML tells whether a text would run script in a page, or load what does: as text, in an attribute, in quotes or not, as an
// address, or in a string of a script. Tags are read as leniently as browsers read them; markup that formats, links or shows a
// picture is not flagged.
func HTML(s string) Class { return layers(s, htmlLayer) }

func htmlLayer(s string) Class {
	if htmlText(s) {
		return Active
	}
	if len(s) > maxDecode {
		s = s[:maxDecode]
	}
	// A string of a script writes \x3c for <; where a page shows text twice, &lt; becomes <.
	if scriptHides(s) && htmlText(scriptUnescape(s)) {
		return Active
	}
	if i := strings.IndexByte(s, '&'); i >= 0 && strings.IndexByte(s[i:], ';') > 0 {
		if plain := html.UnescapeString(s); len(plain) < len(s) && htmlText(plain) {
			return Active
		}
	}
	if strings.Contains(s, "＜") { // which normalisation (NFKC) makes a tag of, and some databases do
		if htmlText(strings.NewReplacer("＜", "<", "＞", ">").Replace(s)) {
			return Active
		}
	}
	return None
}

// htmlText judges one reading of a text, at each place where a page may put it.
func htmlText(s string) bool {
	return htmlMarkup(s, true) || htmlHandler(s) || htmlAddress(s) || scriptBreak(s)
}

// htmlMarkup looks at the tags of a text in one pass. outer: also at the tags within values of attributes, where a parser that
// disagrees about the quotes sees them.
func htmlMarkup(s string, outer bool) bool {
	for i := 0; ; {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			return false
		}
		i += j + 1
		for i < len(s) && (s[i] == '/' || s[i] == 0) { // browsers read attributes of closing tags, and old ones skip NUL
			i++
		}
		if i == len(s) {
			return false
		}
		if !letter(s[i]) {
			if htmlDeclaration(s[i:]) {
				return true
			}
			continue
		}
		from := i
		for i < len(s) && htmlNameByte(s[i]) {
			i++
		}
		if i < len(s) && !blank(s[i]) && !oneOf(s[i], "/>\"'<\\") && s[i] < 0x80 {
			continue // List<T, U> and a<b are no tags
		}
		tag := htmlTag{name: s[from:i]}
		if tag.element() {
			return true
		}
		var active bool
		if i, active = tag.attributes(s, i, outer); active {
			return true
		}
	}
}

func htmlNameByte(c byte) bool { return letter(c) || digit(c) || c == ':' || c == '-' || c == 0 }

// htmlDeclaration judges what is between < and > and is no tag: an internal subset defines entities, an instruction of old
// Internet Explorers imports behaviours, and a style sheet of XML may run script.
func htmlDeclaration(s string) bool {
	switch s[0] {
	case '!':
		if fold(s, "!doctype") {
			s = s[:min(len(s), maxValue)]
			end := strings.IndexByte(s, '>')
			subset := strings.IndexByte(s, '[')
			return subset > 0 && (end < 0 || subset < end)
		}
		return anyFold(s, "!attlist", "!entity")
	case '?':
		return anyFold(s, "?import", "?xml-stylesheet", "?xml:namespace")
	}
	return false
}

// htmlHandler looks for the handler of an event where a text breaks out of an attribute: " onload=…. Outside of a tag only known
// events count, and only a value that does something: "once = 1" is code, and "onset=day 3" prose.
func htmlHandler(s string) bool {
	for i := 0; i < len(s); i++ {
		j := strings.IndexByte(s[i:], '=')
		if j < 0 {
			return false
		}
		i += j
		end := i
		for end > 0 && i-end < 64 && blank(s[end-1]) {
			end--
		}
		from := end
		for from > 0 && end-from <= maxEvent && (letter(s[from-1]) || digit(s[from-1])) {
			from--
		}
		if i+1 < len(s) && s[i+1] == '=' || from > 0 && !blank(s[from-1]) && !oneOf(s[from-1], "\"'/`") && s[from-1] < 0x80 {
			continue
		}
		name, value := s[from:end], strings.TrimLeft(s[i+1:min(len(s), i+256)], " \t\r\n'\"`")
		breaks := from == 0 || strings.ContainsAny(s[max(0, from-256):from], "\"'`<>/")
		switch {
		case value == "":
		case eventKnown(name):
			if breaks && scriptActs(value) || scriptCall(value) {
				return true
			}
		case breaks && from > 0 && fold(name, "style") && len(name) == 5:
			if cssLoads(value) {
				return true
			}
		}
	}
	return false
}

// htmlAddress: the text as a whole, or after a quote or a bracket, is an address that runs.
func htmlAddress(s string) bool {
	if strings.IndexByte(s, ':') < 0 && strings.IndexByte(s, '&') < 0 {
		return false
	}
	s = strings.TrimLeft(s, " \t\r\n\"'`<>\\/()")
	if !activeURL(s) {
		return false
	}
	_, rest, _ := strings.Cut(s, ":")
	return first(rest) != ' ' || strings.ContainsAny(rest, "(`=[%{\\") // "JavaScript: the good parts" is a title
}
