package threat

import "strings"

// Path tells whether a text, used as the name of a file below a directory, would name one outside of it, in any of the encodings
// that some layer may undo later, or a well-known file of the system, of an account or of a server. An absolute path is flagged
// only for what it names: whether absolute paths are allowed is policy.
func Path(s string) Class { return layers(s, pathLayer) }

// maxPath bounds what is taken for one path; no system opens a longer one. Climbing is looked for in all of the text.
const maxPath = 4096

func pathLayer(s string) Class {
	if strings.IndexByte(s, 0) >= 0 {
		return Control // the name ends here for C, and goes on for everybody else
	}
	if pathClimbs(s) {
		return Traversal
	}
	if pathHides(s) {
		plain := pathPlain(s)
		if pathClimbs(plain) {
			return Traversal
		}
		s = plain
	}
	if len(s) > maxPath || len(s) < 4 {
		return None
	}
	if pathRemote(s) {
		return Traversal
	}
	if pathWrapper(s) || pathSystem(s) {
		return System
	}
	return None
}

// pathClimbs reports whether a path climbs above where it starts.
func pathClimbs(s string) bool {
	if !strings.Contains(s, "..") {
		return false
	}
	depth, dotted := 0, 0
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && s[end] != '/' && s[end] != '\\' {
			end++
		}
		name := s[i:end]
		switch pathStep(name, i == 0, end == len(s)) {
		case stepUp:
			if depth--; depth < 0 {
				return true
			}
		case stepDots: // ....// is ../ once a filter has removed ../ from it
			if dotted++; dotted > 1 || strings.HasPrefix(s[end:], "/./") || len(name) > 8 || i == 0 && len(name) > 3 {
				return true
			}
		case stepDown:
			depth++
		}
		i = end + 1
	}
	return false
}

type pathMove uint8

const (
	stepStay pathMove = iota
	stepDown
	stepUp
	stepDots // more dots than two, and nothing else
)

// pathStep tells where one element of a path leads; alone and last say where it stands.
func pathStep(name string, head, last bool) pathMove {
	n := len(name)
	for n > 0 && name[n-1] == '.' {
		n--
	}
	dots := len(name) - n
	switch {
	case name == "" || name == ".":
		return stepStay
	case n == 0 && dots == 2:
		return stepUp
	case n == 0:
		if last {
			return stepStay // an ellipsis
		}
		return stepDots
	case dots == 2 && !last && !pathWord(name[n-1]) && (head || !strings.ContainsAny(name, " '\"")):
		if head && strings.ContainsAny(name[:n], " '\"") {
			return stepDown // prose or code that names a relative path: from '../lib'
		}
		return stepUp // page=../, C:../, @../: what stands before belongs to somebody else
	case len(name) > 2 && name[:2] == ".." && oneOf(name[2], ";%?#"): // ..;/: some servers cut parameters off
		return stepUp
	}
	return stepDown
}

func pathWord(c byte) bool { return letter(c) || digit(c) || oneOf(c, "_)]}") }

// pathRemote: \\host\share, which opens a file of another machine and sends it the account's credentials; \\.\ and \\?\, devices.
func pathRemote(s string) bool {
	if len(s) < 6 || s[:2] != `\\` || s[2] == '\\' {
		return false
	}
	host, share, ok := strings.Cut(s[2:], `\`)
	if !ok || share == "" || strings.ContainsAny(s, " \n\"'{}()^&|<>") {
		return false
	}
	return host == "." || host == "?" || pathHost(host) && (letter(share[0]) || digit(share[0]))
}

func pathHost(s string) bool {
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && !oneOf(s[i], ".-:@") {
			return false
		}
	}
	return len(s) > 2
}

// pathWrapper: an address instead of a path, of a scheme that reads archives, runs filters or reaches into the network where a
// function that opens files takes addresses (PHP, Java).
func pathWrapper(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest, ok = strings.Cut(s, ":/")
	}
	if !ok || len(scheme) > 20 {
		return false
	}
	var buf [20]byte
	switch string(folded(buf[:], strings.TrimLeft(scheme, "/ "))) {
	case "compress.bzip2", "compress.zlib", "dict", "expect", "glob", "gopher", "netdoc", "ogg", "phar", "php", "rar", "ssh2", "zlib":
		return true
	case "data":
		return strings.IndexByte(rest, ',') >= 0
	case "file":
		return pathSystem(rest) || pathSystem("/"+strings.TrimLeft(rest, "/"))
	case "jar:file", "zip":
		return strings.ContainsAny(rest, "#!")
	}
	return false
}
