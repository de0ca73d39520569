package sink

import (
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name of a file that common file systems bear, and maxPath the longest path, in bytes.
const (
	maxName = 255
	maxPath = 4096
)

// Path returns the text as a path below a directory, with slashes and without "." and "..". It is refused with [ErrEscapes] if it is
// absolute on any system, or leads out of the directory now or once percent encoding was removed, up to three layers of it; with
// [ErrText] if one of its names could not be that of a file on Unix and Windows. "a..b" is a name.
//
// Symbolic links are not in the text: open what it names through a [Root].
func Path(text string) (string, error) {
	const sink = "path"
	if len(text) > maxPath {
		return "", refuse(ErrText, sink, text, "have at most 4096 bytes")
	}
	for layer, s := 0, text; layer <= 3; layer++ {
		if err := below(s); err != nil {
			return "", refuse(ErrEscapes, sink, text, "stay below its directory")
		}
		plain := unescape(s)
		if plain == s {
			break
		}
		s = plain
	}
	cleaned := path.Clean(strings.ReplaceAll(text, `\`, "/"))
	for layer, s := 0, cleaned; layer < 3; layer++ { // a name with an encoded separator counted as one when it was cleaned away
		s = strings.ReplaceAll(unescape(s), `\`, "/")
		if slices.Contains(strings.Split(s, "/"), "..") || below(s) != nil || below(path.Clean(s)) != nil {
			return "", refuse(ErrEscapes, sink, text, "stay below its directory")
		}
		s = path.Clean(s)
	}
	for name := range strings.SplitSeq(cleaned, "/") {
		if err := portable(sink, text, name); err != nil {
			return "", err
		}
	}
	return cleaned, nil
}

// unescape removes one layer of percent encoding as a lenient reader does: a percent sign without two digits stands for itself, and does
// not save the rest of the text from being decoded.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// below refuses what leads out of the directory, where slashes and backslashes separate.
func below(s string) error {
	s = strings.ReplaceAll(s, `\`, "/")
	if strings.HasPrefix(s, "/") || len(s) > 1 && s[1] == ':' {
		return ErrEscapes
	}
	if c := path.Clean(s); c == ".." || strings.HasPrefix(c, "../") {
		return ErrEscapes
	}
	return nil
}

// Name returns the text if it can be the name of one file on Unix and Windows, in UTF-8: no separators, no characters that one of the
// systems or a terminal gives a meaning, no device of Windows, no dot or space at the end.
func Name(text string) (string, error) {
	const sink = "file name"
	if text == "." || text == ".." {
		return "", refuse(ErrEscapes, sink, text, "name a file")
	}
	if strings.ContainsAny(text, `/\`) {
		return "", refuse(ErrEscapes, sink, text, "have no separators")
	}
	return text, portable(sink, text, text)
}

func portable(sink, text, name string) error {
	switch {
	case name == "" || name == ".":
		return refuse(ErrText, sink, text, "name a file")
	case len(name) > maxName:
		return refuse(ErrText, sink, text, "have names of at most 255 bytes")
	case !utf8.ValidString(name):
		return refuse(ErrText, sink, text, "be UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`<>:"|?*`, r) || hidden(r)
	}):
		return refuse(ErrText, sink, text, `have no control characters and none of <>:"|?*`)
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " "):
		return refuse(ErrText, sink, text, "have names without spaces around them and without a dot at the end")
	case device(name):
		return refuse(ErrText, sink, text, "not name a device of Windows")
	}
	return nil
}

// device reports whether Windows takes a name, whatever its extension, for a device.
func device(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if rest, ok := strings.CutPrefix(base, "COM"); ok || strings.HasPrefix(base, "LPT") {
		if !ok {
			rest = base[3:]
		}
		switch rest {
		case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
			return true
		}
	}
	return false
}

// hidden reports whether a character shows as nothing, turns the direction of the text, or ends the line.
func hidden(r rune) bool {
	switch {
	case r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xad, r == 0x34f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0:
		return true
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff, r >= 0xfff0 && r <= 0xfff8, r == 0x2065, r >= 0x180b && r <= 0x180f, r == 0x2800:
		return true
	}
	return r >= 0x80 && unicode.Is(unicode.Cf, r)
}
