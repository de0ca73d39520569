package threat

import "strings"

// Shell tells whether a text would start a command of its own if it were pasted into a command line of a POSIX shell, of cmd or of
// PowerShell: after a separator, in a substitution, as the whole line, or through a function of a script that starts commands. What
// follows has to read like a command: a known program with flags, paths, addresses or nothing, so that "sort; find the rest" is
// prose.
func Shell(s string) Class { return layers(s, shellLayer) }

func shellLayer(s string) Class {
	if shellLine(s) || shellSeparated(s) || shellSubstituted(s) || shellCode(s) {
		return Command
	}
	return None
}

// shellLine judges the whole text as one command line. Here the command is all there is to go by, so that it needs an argument that
// no sentence has: "id" is the name of a column, "bash script" a topic.
func shellLine(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n'\"")
	broken := false
	for strings.HasPrefix(s, `\n`) || strings.HasPrefix(s, `\r`) { // a line break that some layer decodes
		s, broken = s[2:], true
	}
	var buf [24]byte
	c, ok := readCommand(s, buf[:])
	if !ok || !c.starts(true) || len(c.args) > 1 && separates(c.args[0]) && letter(c.args[1]) { // id|name|type: what follows is judged there
		return false
	}
	if broken {
		return true
	}
	rest := strings.TrimLeft(c.args, " \t,")
	if shellNumber(rest) || subcommand(c.name, rest) || whichProgram(c.name, rest) {
		return true
	}
	words, shaped := countArgs(rest)
	if c.path || c.kind == programOwn {
		return shaped > 0 && (lower(c.text[0]) == c.text[0] || strings.ContainsAny(c.args, `-\.`)) // "Ping" begins a sentence
	}
	word, _, _ := strings.Cut(rest, " ")
	return words <= 2*shaped && shellShape(word) && !oneOf(word[0], "'\"<>") // echo "done"
}

// shellSeparated judges what follows each separator: ; | & && || and the end of a line.
func shellSeparated(s string) bool {
	var buf [24]byte
	for i := 0; i < len(s); i++ {
		if !separates(s[i]) {
			continue
		}
		if n := htmlEntity(s[i:]); n > 0 {
			i += n - 1
			continue
		}
		from := i
		for i+1 < len(s) && separates(s[i+1]) {
			i++
		}
		c, ok := readCommand(s[i+1:], buf[:])
		if !ok {
			continue
		}
		switch between(s, from, i+1) {
		case gapOpen:
			if c.starts(fewWords(s[:min(from, 64)], 2)) {
				return true
			}
		case gapDense: // a;date: nobody writes prose or a table so
			if near := fewWords(s[:min(from, 64)], 2); c.starts(near) || near && c.args == "" {
				return true
			}
		case gapList: // (head|tail), name;id;date: only an argument tells
			if shellArgs(c.args) > 0 && c.starts(true) {
				return true
			}
		}
	}
	return false
}

func separates(c byte) bool { return c == ';' || c == '|' || c == '&' || c == '\n' }

// shellGap says how a separator stands between its neighbours.
type shellGap uint8

const (
	gapOpen  shellGap = iota // with a space behind it
	gapDense                 // without
	gapList                  // one of several between words: a pattern, or a line of a table
)

// between tells how the separator at s[from:to] stands.
func between(s string, from, to int) shellGap {
	if to == len(s) || blank(s[to]) {
		return gapOpen
	}
	if to-from > 1 || from == 0 || !letter(s[from-1]) && !digit(s[from-1]) || !letter(s[to]) {
		return gapDense
	}
	sep, n := s[from], to
	for n < len(s) && (letter(s[n]) || digit(s[n]) || s[n] == '_') {
		n++
	}
	if n+1 < len(s) && s[n] == sep && letter(s[n+1]) { // another field follows
		return gapList
	}
	k := from - 1
	for k >= 0 && (letter(s[k]) || digit(s[k]) || s[k] == '_') {
		k--
	}
	if k > 0 && s[k] == sep && (letter(s[k-1]) || digit(s[k-1])) || k >= 0 && s[k] == '(' && n < len(s) && s[n] == ')' {
		return gapList
	}
	return gapDense
}

// htmlEntity returns the length of what is &lt; and no separator, 0 if it is one.
func htmlEntity(s string) int {
	for i := 1; s[0] == '&' && i < len(s) && i < 10; i++ {
		if s[i] == ';' && i > 1 {
			return i + 1
		}
		if !letter(s[i]) && !digit(s[i]) && s[i] != '#' {
			break
		}
	}
	return 0
}

// shellSubstituted looks for substitutions and for words that only a shell has: $(…), `…`, <(…), ${IFS}, () { :;}.
func shellSubstituted(s string) bool {
	var buf [24]byte
	command := func(s string, near bool) bool {
		c, ok := readCommand(s, buf[:])
		return ok && c.starts(near)
	}
	for i := 0; i+2 < len(s); i++ {
		switch s[i] {
		case '$':
			if s[i+1] == '(' && (command(s[i+2:], true) || fold(s[i+2:], "echo ")) || strings.HasPrefix(s[i:], "${IFS") || strings.HasPrefix(s[i:], "$IFS") {
				return true
			}
		case '<', '>':
			if s[i+1] == '(' && command(s[i+2:], true) {
				return true
			}
		case '`': // in prose code stands between these: without an argument only where there is no prose
			end := strings.IndexByte(s[i+1:min(len(s), i+258)], '`')
			if end < 0 {
				continue
			}
			code, after := s[i+1:i+1+end], s[i+end+2:]
			alone := fewWords(s[:min(i, 64)], 1) && fewWords(after[:min(len(after), 64)], 1)
			if end > 0 && (alone || strings.ContainsAny(code, "-/'\"$|;. 0123456789")) && command(code, alone) {
				return true
			}
			i += end + 1
		case '(':
			if shellshock(s[i:]) {
				return true
			}
		case 'f', 'F': // the loop of cmd over the output of a command
			if fold(s[i:], "for /f ") && strings.IndexByte(s[i:min(len(s), i+64)], '%') > 0 {
				return true
			}
		}
	}
	return false
}

// shellshock: () { :;}, a function in a variable, behind which an old bash went on reading.
func shellshock(s string) bool {
	if !strings.HasPrefix(s, "()") {
		return false
	}
	rest := strings.TrimLeft(s[2:min(len(s), 16)], " ")
	if first(rest) != '{' {
		return false
	}
	rest = strings.TrimLeft(rest[1:], " ")
	return strings.HasPrefix(rest, ":;") || strings.HasPrefix(rest, "_;") || strings.HasPrefix(rest, "_.")
}
