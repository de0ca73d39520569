package threat

import (
	"strings"
	"unicode/utf8"
)

// Text tells whether a text would show as something else than it is, on a terminal, in a log, in a header or to a language model:
// control characters and escapes of terminals, characters that turn the direction or take no room, control tokens of chat models,
// delimiters of templates. A line break that is still percent-encoded and would begin a header is control too. Tabs, line breaks,
// joiners of emoji and of scripts that need them, and marks of direction in text that runs from the right are not flagged.
func Text(s string) Class {
	found := None
	t := textReader{s: s}
	for {
		t.skip()
		if t.i == len(s) {
			break
		}
		c := t.next()
		if c == None {
			continue
		}
		if c == Control || c == Bidi {
			return c
		}
		if found == None || found == Template {
			found = c
		}
	}
	if t.mark && !t.rtl && (found == None || found == Template) {
		found = Invisible
	}
	if found == None || found == Template {
		if c := layers(s, hiddenBreak); c != None {
			return c
		}
	}
	return found
}

// textReader reads a text character by character.
type textReader struct {
	s    string
	i    int
	prev rune
	flag bool // within the flag of a region: 🏴 and tags
	rtl  bool // has letters of a script that runs from the right
	mark bool // has marks of direction, which such scripts need
}

// skip passes over what is fine wherever it stands.
func (t *textReader) skip() {
	i := t.i
	for i < len(t.s) {
		if c := t.s[i]; c < ' ' || c > '}' || c == '{' || c == '<' || c == '$' || c == '#' || c == '[' {
			break
		}
		i++
	}
	if i > t.i {
		t.prev, t.i = rune(t.s[i-1]), i
	}
}

// next judges the next character, together with what it depends on.
func (t *textReader) next() Class {
	if c := t.s[t.i]; c < utf8.RuneSelf {
		class := t.ascii(c)
		t.prev, t.i = rune(c), t.i+1
		return class
	}
	r, n := utf8.DecodeRuneInString(t.s[t.i:])
	class := t.wide(r, n)
	t.prev, t.i = r, t.i+n
	return class
}

func (t *textReader) ascii(c byte) Class {
	rest := t.s[t.i:]
	switch {
	case c == '\t' || c == '\n':
	case c == '\r': // alone it goes back and overwrites the line
		if len(rest) > 1 && rest[1] != '\n' {
			return Control
		}
	case c < ' ' || c == 0x7f:
		return Control
	case c == '<' && chatToken(rest), c == '[' && (strings.HasPrefix(rest, "[INST]") || strings.HasPrefix(rest, "[/INST]")):
		return Token
	case oneOf(c, "{<$#") && template(rest):
		return Template
	}
	return None
}

func (t *textReader) wide(r rune, n int) Class {
	tag := r >= 0xe0020 && r <= 0xe007f
	t.flag = tag && (t.flag || t.prev == 0x1f3f4)
	switch {
	case r == utf8.RuneError && n == 1: // no UTF-8: shows as nobody knows what
		return Control
	case r < 0xa0, r == 0x2028, r == 0x2029:
		return Control
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return Bidi
	case r >= 0x0590 && r < 0x0900 && r != 0x061c:
		t.rtl = true
	case r == 0x061c, r == 0x200e, r == 0x200f:
		t.mark = true
	case r == 0x200c, r == 0x200d: // joiners: between letters of scripts that join, and emoji
		if t.prev < utf8.RuneSelf {
			return Invisible
		}
	case variation(r): // of one character before it; a row of them carries a message
		if variation(t.prev) || t.prev < utf8.RuneSelf && letter(byte(t.prev)) {
			return Invisible
		}
	case r == 0xfeff && t.i == 0: // the mark of the byte order
	case invisible(r) && !t.flag:
		return Invisible
	}
	return None
}

func variation(r rune) bool { return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef }

// invisible: a character that takes no room: soft hyphens, zero width, fillers, tags.
func invisible(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x034f, r == 0x115f, r == 0x1160, r == 0x180e, r >= 0x200b && r <= 0x200f, r >= 0x2060 && r <= 0x2064,
		r == 0x3164, r == 0xfeff, r == 0xffa0, r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// chatToken: a token that ends or begins a turn, as the templates of chat models write them.
func chatToken(s string) bool {
	for _, t := range [...]string{"<start_of_turn>", "<end_of_turn>", "<<SYS>>"} {
		if strings.HasPrefix(s, t) {
			return true
		}
	}
	if !strings.HasPrefix(s, "<|") { // <|im_start|>, <|eot_id|>, <|endoftext|>, …
		return false
	}
	n := 2
	for n < len(s) && n < 32 && (letter(s[n]) || s[n] == '_' || digit(s[n])) {
		n++
	}
	return n > 4 && strings.HasPrefix(s[n:], "|>")
}

// template looks for an expression in the delimiters of a template engine. ${NAME} is a variable of a shell or of a configuration.
func template(s string) bool {
	if len(s) < 4 {
		return false
	}
	var end string
	switch s[:2] {
	case "{{":
		end = "}}"
	case "{%":
		end = "%}"
	case "<%":
		end = "%>"
	case "${", "#{":
		end = "}"
	default:
		return false
	}
	code := s[2:min(len(s), 514)]
	at := strings.Index(code, end)
	return at > 0 && (end != "}" || strings.ContainsAny(code[:at], "(*"))
}

// hiddenBreak finds a line break, or another character that ends or rewrites a line, that is percent-encoded: where some layer
// decodes it, what follows is a header or a line of its own. "%0d" alone is a verb of a format.
func hiddenBreak(s string) Class {
	for i := 0; ; {
		j := strings.IndexByte(s[i:], '%')
		if j < 0 {
			return None
		}
		i += j
		c, n := hiddenControl(s[i:])
		if n == 0 {
			i++
			continue
		}
		rest := s[i+n:]
		next, more := hiddenControl(rest)
		switch {
		case c == 0 && !letter(first(rest)) && !digit(first(rest)), c == 0x1b && (first(rest) == '[' || fold(rest, "%5b")):
			return Control
		case oneOf(c, "\r\n") && (more > 0 && oneOf(next, "\r\n") || hiddenHeader(rest)):
			return Control
		}
		i += n
	}
}

// hiddenControl reads an encoded NUL, line break or escape and its length; 0 if there is none.
func hiddenControl(s string) (c byte, n int) {
	switch {
	case anyFold(s, "%0a", "%0d", "%00", "%1b"):
		return byte(unhex(s[1])<<4 | unhex(s[2])), 3
	case anyFold(s, "%u000a", "%u000d"):
		return byte(unhex(s[5])), 6
	case anyFold(s, "%e5%98%8a", "%e5%98%8d"): // 嘊 and 嘍 become line breaks where only the last byte is kept
		return byte(unhex(s[8])), 9
	}
	return 0, 0
}

// hiddenHeader: a name and a colon, or a tag.
func hiddenHeader(s string) bool {
	n := 0
	for n < len(s) && n < 40 && (letter(s[n]) || s[n] == '-') {
		n++
	}
	rest := s[n:]
	return n > 1 && (first(rest) == ':' || fold(rest, "%3a")) || n == 0 && (first(rest) == '<' || fold(rest, "%3c")) || fold(s, "http/")
}
