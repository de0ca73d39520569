package threat

import (
	"html"
	"strings"
	"unicode"
)

// maxValue bounds what of a value is decoded: a scheme and the beginning of a sheet are at its front.
const maxValue = 1 << 10

// activeURL reports whether an address runs when it is followed: its scheme is one of script, or its data are a document.
func activeURL(value string) bool {
	if !mayRun(value) {
		return false
	}
	v := htmlValue(value)
	scheme, rest, ok := strings.Cut(v, ":")
	if !ok || len(scheme) > 64 {
		return false
	}
	if at := strings.LastIndexAny(scheme, "=,;('\""); at >= 0 { // 0;url=javascript:…
		scheme = scheme[at+1:]
	}
	var buf [16]byte
	switch string(folded(buf[:], scheme)) {
	case "javascript", "livescript", "mocha", "vbscript":
		return rest != "" && rest[0] != ':'
	case "feed", "view-source": // an address follows
		return anyFold(rest, "javascript:", "data:text/html")
	case "data":
		return dataRuns(rest)
	}
	return false
}

// mayRun tells cheaply of most values that activeURL would find no scheme that runs: what browsers skip left out, the value begins
// with another, or with none.
func mayRun(v string) bool {
	var buf [16]byte
	n := 0
	for i := range min(len(v), maxValue) {
		switch c := v[i]; {
		case blank(c):
		case c == '&', c == '\\', c >= 0x80, c == '/' && i+1 < len(v) && v[i+1] == '*': // hidden
			return true
		case digit(c) && n == 0: // 0;url=…
		case (c == ';' || c == ',') && n == 0:
			return containsFold(v[i:min(len(v), i+16)], "url")
		case c == ':':
			return runs(buf[:n])
		case !letter(c) && c != '-' || n == len(buf):
			return false
		default:
			buf[n] = lower(c)
			n++
		}
	}
	return false
}

// runs lists the schemes that activeURL looks at.
func runs(scheme []byte) bool {
	switch string(scheme) {
	case "data", "feed", "javascript", "livescript", "mocha", "vbscript", "view-source":
		return true
	}
	return false
}

// dataRuns: data of any type but pictures, sound, films and fonts may be a document.
func dataRuns(rest string) bool {
	n := 0
	for n < len(rest) && (letter(rest[n]) || digit(rest[n]) || oneOf(rest[n], "/+-._")) {
		n++
	}
	if n == len(rest) || rest[n] != ',' && rest[n] != ';' || n > 0 && strings.IndexByte(rest[:n], '/') <= 0 {
		return fold(rest, "text/html")
	}
	if anyFold(rest, "audio/", "font/", "video/", "application/font", "application/json", "application/octet-stream") {
		return false
	}
	if fold(rest, "image/") {
		return fold(rest, "image/svg")
	}
	return true
}

// htmlValue decodes what a browser decodes in a value, or the script that wrote it, and drops what is skipped in a scheme.
func htmlValue(v string) string {
	v = v[:min(len(v), maxValue)]
	if strings.IndexByte(v, '&') >= 0 {
		v = html.UnescapeString(v)
		for _, c := range "12345678" { // package html wants a semicolon after one digit; browsers do not
			v = strings.ReplaceAll(v, "&#"+string(c), "")
		}
	}
	if strings.Contains(v, `\x`) || strings.Contains(v, `\u`) {
		v = scriptUnescape(v)
	}
	if strings.IndexByte(v, '\\') >= 0 || strings.Contains(v, "/*") {
		v = cssUnescape(v)
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || unicode.IsSpace(r) || invisible(r) {
			return -1
		}
		return r
	}, v)
}

// cssActive: a sheet in an attribute that is more than declarations. Brackets, braces, escapes and loads have no place in one,
// and are how parsers of sheets are brought to disagree.
func cssActive(value string) bool {
	if strings.ContainsAny(value, "{}[]@\\") || strings.Contains(value, "/*") || strings.Contains(value, "&#") {
		return true
	}
	return cssLoads(value)
}

// cssLoads: a sheet that loads another file, or has script as Internet Explorer, Firefox and Opera once read it.
func cssLoads(sheet string) bool {
	v := htmlValue(sheet)
	for i := range len(v) {
		switch lower(v[i]) {
		case '@':
			if fold(v[i:], "@import") {
				return true
			}
		case '-':
			if anyFold(v[i:], "-moz-binding", "-o-link") {
				return true
			}
		case 'b':
			if anyFold(v[i:], "behavior:", "behaviour:", "binding:") {
				return true
			}
		case 'e':
			if fold(v[i:], "expression(") {
				return true
			}
		case 'u':
			if fold(v[i:], "url(") {
				return true
			}
		case 'j':
			if fold(v[i:], "javascript:") {
				return true
			}
		}
	}
	return false
}

// cssUnescape removes comments and escapes of style sheets.
func cssUnescape(v string) string {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch {
		case strings.HasPrefix(v[i:], "/*"):
			end := strings.Index(v[i+2:], "*/")
			if end < 0 {
				return b.String()
			}
			i += end + 3
		case v[i] == '\\' && i+1 < len(v) && unhex(v[i+1]) >= 0:
			n, k := 0, i+1
			for ; k < len(v) && k < i+7 && unhex(v[k]) >= 0; k++ {
				n = n<<4 | unhex(v[k])
			}
			b.WriteRune(rune(n))
			if k < len(v) && v[k] == ' ' {
				k++
			}
			i = k - 1
		case v[i] == '\\':
		default:
			b.WriteByte(v[i])
		}
	}
	return b.String()
}
