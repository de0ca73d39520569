package threat

import "strings"

// countArgs counts the arguments of a command, and those that have the shape of one, as far as it matters.
func countArgs(s string) (words, shaped int) {
	var other byte
	switch {
	case first(s) == ',': // {cat,/etc/passwd}
		other = ','
	case !strings.Contains(s, " "): // a form writes spaces so
		other = '+'
	}
	space := func(c byte) bool { return c == ' ' || c == '\t' || other != 0 && c == other }
	for i := 0; i < len(s) && words < 24; {
		for i < len(s) && space(s[i]) {
			i++
		}
		if i >= len(s) || oneOf(s[i], ";|&\n`)") {
			break
		}
		from := i
		for i++; i < len(s) && !blank(s[i]) && !space(s[i]) && !oneOf(s[i], ";|&`"); i++ {
		}
		if words++; shellShape(s[from:i]) {
			shaped++
		} else if words > 8 && shaped == 0 {
			break
		}
	}
	return words, shaped
}

// shellArgs tells of the arguments of a command: 1 if some have the shape of one, 0 if there is none or they are a few plain words,
// -1 if they go on like a sentence.
func shellArgs(s string) int {
	switch words, shaped := countArgs(s); {
	case shaped > 0 && words <= 3*shaped+2:
		return 1
	case words > 3:
		return -1
	}
	return 0
}

// shellShape: an argument that is no word of a sentence: a flag, a path, an address, a redirection, a string, a variable.
func shellShape(a string) bool {
	if len(a) < 2 {
		return a == "/"
	}
	switch b := a[1]; a[0] {
	case '-':
		return letter(b) || digit(b) || b == '-' && len(a) > 2
	case '/':
		return letter(b) || b == '?' || b == '*'
	case '<':
		return strings.IndexByte(a, '>') < 0 // </b>
	case '$', '%', '*', '>', '~':
		return true
	case '{': // {HOST}, to be filled in
		return letter(b) && strings.IndexByte(a, '}') > 0
	case '\'', '"':
		return len(a) > 2
	case '.':
		return b == '/' || b == '.'
	}
	if letter(a[0]) && a[1] == ':' && len(a) > 2 && a[2] == '\\' {
		return true
	}
	for _, within := range [...]string{"://", "=/", "$(", "${"} {
		if strings.Contains(a, within) {
			return true
		}
	}
	return shellAddress(a)
}

// shellAddress: 127.0.0.1, host.example/path, user@host.example, notes.txt.
func shellAddress(a string) bool {
	dots, digits, slashes := 0, 0, 0
	for i := range len(a) {
		switch {
		case a[i] == '.':
			dots++
		case digit(a[i]) || a[i] == ':':
			digits++
		case oneOf(a[i], `/\@`):
			slashes++
		case a[i] == '<':
			return false
		}
	}
	return dots == 3 && digits+dots == len(a) || slashes > 0 && dots > 0 || dots == 1 && len(a) > 4 && shellFile(a)
}

// shellFile: the name of a file that commands are often given, or the end of a host's name.
func shellFile(a string) bool {
	switch a[strings.LastIndexByte(a, '.')+1:] {
	case "bat", "c", "com", "conf", "exe", "html", "ini", "js", "log", "net", "org", "php", "pl", "ps1", "py", "sh", "txt", "xml":
		return true
	}
	return false
}

// shellNumber: one number follows, and the line ends: sleep 5.
func shellNumber(s string) bool {
	if end := strings.IndexAny(s, "\n;|&)`"); end >= 0 {
		s = s[:end]
	}
	s = strings.Trim(s, " \t\r'\"#\\}")
	if s == "" || len(s) > 6 {
		return false
	}
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}
