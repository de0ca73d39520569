package threat

import (
	"bytes"
	"strings"
)

// command is what a command line begins with.
type command struct {
	name []byte // in lower case, without directory and quotes
	kind programKind
	path bool   // named with a directory
	text string // from the name on, as written
	word string // the name, as written
	args string // behind the name
}

// maxArgs bounds what of the arguments is looked at, so that many commands do not take quadratic time.
const maxArgs = 1 << 10

// readCommand reads the command that s begins with into buf; ok is false where there is none.
func readCommand(s string, buf []byte) (c command, ok bool) {
	s = strings.TrimLeft(s, " \t\r({!\"'\\")
	for range 2 { // x=1 command; sudo command
		if n := shellPrefix(s); n > 0 {
			s = strings.TrimLeft(s[n:], " \t")
		}
	}
	n := 0
	c.name, n, c.path = readName(s, buf)
	if n == 0 || len(c.name) == 0 || strings.HasPrefix(s, "//") {
		return c, false
	}
	c.text, c.word, c.args = s, s[:n], s[n:min(len(s), n+maxArgs)]
	switch {
	case c.args == "":
	case !oneOf(c.args[0], " \t\r\n;|&<>`)}'\"#\\$^%,+"): // more of a word
		return c, false
	case c.args[0] == ',' && !strings.Contains(c.args, "}"): // {cat,/etc/passwd}
		return c, false
	case oneOf(c.args[0], "'\"") && oneOf(first(strings.TrimLeft(c.args[1:], "\n")), ":=,]"): // "type": …
		return c, false
	}
	c.kind = program(c.name)
	if c.kind == programNone && c.path && bytes.ContainsAny(c.name, "?*") && (letter(c.name[0]) || anyFold(s, "/?", "/bin/", "/usr/bin/")) {
		c.kind = programWord // /bin/c?t, /???/n?t
	}
	return c, c.kind != programNone
}

// shellPrefix returns the length of what may stand before a command: NAME=value, or a word that runs another.
func shellPrefix(s string) int {
	n := 0
	for n < len(s) && n < 32 && (letter(s[n]) || oneOf(s[n], "_.")) {
		n++
	}
	if n == 0 || n == len(s) {
		return 0
	}
	if s[n] == '=' {
		return shellAssignment(s, n)
	}
	var buf [8]byte
	switch string(folded(buf[:], s[:n])) {
	case "busybox", "command", "env", "exec", "nohup", "start", "sudo", "time":
		if s[n] == ' ' {
			return n + 1
		}
	case "cmd", "cmd.exe":
		if fold(s[n:], " /c ") {
			return n + 4
		}
	}
	return 0
}

// shellAssignment returns the length of NAME=value, whose equals sign is at i, if something follows.
func shellAssignment(s string, i int) int {
	for i < len(s) && i < 96 && !blank(s[i]) {
		if s[i] == ';' {
			return i + 1
		}
		i++
	}
	if i < len(s) && s[i] == ' ' {
		return i
	}
	return 0
}

// readName reads the name of a command into buf, without what shells take from it: directories, quotes, escapes and expansions
// that are empty. n is its length in s; path tells of a directory.
func readName(s string, buf []byte) (name []byte, n int, path bool) {
	k, drive := 0, false
	for n < len(s) {
		if skip := shellNothing(s[n:]); skip > 0 && k > 0 {
			n += skip
			continue
		}
		next := first(s[n+1:])
		switch b := s[n]; {
		case b == '/', b == '\\' && drive:
			path, k = true, 0
		case b == '\'' || b == '"':
			if !letter(next) && next != b && next != '/' {
				return buf[:k], n, path
			}
		case b == '\\' || b == '^': // cmd escapes with the latter
			if !letter(next) || n+2 == len(s) && oneOf(next, "nrt0") { // id\n: the end of a line for some layer
				return buf[:k], n, path
			}
		case letter(b) || digit(b) || oneOf(b, "._-?*"):
			if k == len(buf) {
				return nil, n, path
			}
			buf[k] = lower(b)
			k++
		case b == ':' && n == 1:
			drive, path, k = true, true, 0
		default:
			return buf[:k], n, path
		}
		n++
	}
	return buf[:k], n, path
}

// shellNothing returns the length of an expansion that is empty in a line of its own: $@, $*, $1, $(), “, ${x}.
func shellNothing(s string) int {
	switch {
	case len(s) < 2:
	case s[0] == '`' && s[1] == '`':
		return 2
	case s[0] != '$':
	case s[1] == '@' || s[1] == '*' || digit(s[1]):
		return 2
	case strings.HasPrefix(s, "$()"):
		return 3
	case s[1] == '{' && len(s) > 3 && s[3] == '}':
		return 4
	}
	return 0
}

// starts judges whether the command would start and is meant to. near: what stands before it is at most a word or two, so that the
// text is no sentence.
func (c *command) starts(near bool) bool {
	if c.path {
		return c.inPrograms() && (near || c.kind == programOwn || shellArgs(c.args) > 0)
	}
	after := strings.TrimLeft(c.args, " \t")
	if oneOf(first(after), "=(") || strings.HasPrefix(after, ":=") { // an assignment or a call of another language
		return false
	}
	if near && (whichProgram(c.name, after) || subcommand(c.name, after)) {
		return true
	}
	switch args := shellArgs(c.args); {
	case args < 0: // goes on like a sentence
		return false
	case args > 0:
		return near || c.kind == programOwn
	}
	return near && c.plain(after)
}

// inPrograms: the directory is one of programs: /bin/cat, C:\windows\system32\cmd.exe, /???/c?t, but neither and/or nor /etc/passwd.
func (c *command) inPrograms() bool {
	return strings.Contains(c.word, "bin/") || strings.IndexByte(c.word, '\\') >= 0 || strings.HasPrefix(c.word, "./") ||
		c.word[0] == '/' && strings.ContainsAny(c.word, "?*")
}

// plain judges a command with arguments of no shape, or with none, near a separator.
func (c *command) plain(after string) bool {
	bare := strings.TrimRight(c.args, " \t\r\n;|&'\"`)#/\\}") == ""
	if c.kind == programOwn {
		ends := strings.Contains(c.args, ". ") || strings.HasSuffix(c.args, ".") // a sentence
		return bare || fewWords(c.args, 2) && len(c.args) < 40 && !ends && !strings.ContainsAny(c.args, "=:(")
	}
	if dot := strings.IndexByte(after, '.'); dot > 0 && dot < len(after)-2 && letter(after[dot-1]) && letter(after[dot+1]) && fewWords(after, 1) {
		return !strings.ContainsAny(after, "()[]{}=") // ping host.example
	}
	return bare && len(c.text) < len(c.name)+8 && c.args != "" || shellNumber(c.args)
}

// whichProgram: "which curl", and nothing else.
func whichProgram(which []byte, args string) bool {
	if string(which) != "which" && string(which) != "where" && string(which) != "type" {
		return false
	}
	args = strings.Trim(args, " \t;|&")
	var buf [24]byte
	name, n, _ := readName(args, buf[:])
	return n == len(args) && program(name) != programNone
}
