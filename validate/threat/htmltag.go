package threat

import "strings"

// elementKind says what makes an element active.
type elementKind uint8

const (
	elementPlain  elementKind = iota // an active attribute only
	elementRuns                      // being there
	elementEmbeds                    // any attribute: <object> alone is a placeholder in manual pages
	elementMeta                      // http-equiv, charset
	elementLink                      // rel
	elementBase                      // href: all addresses of the page become another's
)

// htmlElementKind knows the elements that do something by themselves: those of the HTML standard that run, embed or restyle; svg and
// math, in which a parser changes its rules, which is how text gets out of sanitisers; then those of old browsers and of XML.
func htmlElementKind(name []byte) elementKind {
	switch string(name) {
	case "fencedframe", "frame", "frameset", "iframe", "math", "script", "style", "svg",
		"handler", "import", "layer", "listener", "stylesheet", "xml", "xss":
		return elementRuns
	case "applet", "embed", "object":
		return elementEmbeds
	case "base":
		return elementBase
	case "link":
		return elementLink
	case "meta":
		return elementMeta
	}
	return elementPlain
}

// htmlTag is a tag while its attributes are read.
type htmlTag struct {
	name string // as written
	kind elementKind
}

// element sets the kind of the element and reports whether the tag alone is active.
func (t *htmlTag) element() bool {
	name := t.name
	if at := strings.IndexByte(name, ':'); at >= 0 { // a namespace
		name = name[at+1:]
	}
	var buf [16]byte
	n := 0
	for i := range len(name) {
		if name[i] == 0 { // <scri\x00pt> is a script to old browsers
			continue
		}
		if n == len(buf) {
			return false
		}
		buf[n] = lower(name[i])
		n++
	}
	t.kind = htmlElementKind(buf[:n])
	return t.kind == elementRuns
}

// attributes reads the attributes from i on and returns where they end, or that one of them is active.
func (t *htmlTag) attributes(s string, i int, outer bool) (end int, active bool) {
	for i < len(s) && s[i] != '>' {
		if s[i] == '<' && i+1 < len(s) && letter(s[i+1]) { // the next tag: its attributes are read then
			return i, false
		}
		if blank(s[i]) || oneOf(s[i], "/\"'=") || s[i] >= 0x80 {
			i++
			continue
		}
		from := i
		for i++; i < len(s) && !blank(s[i]) && !oneOf(s[i], "=>/\"'"); i++ {
		}
		name := s[from:i]
		after := i
		for after < len(s) && (blank(s[after]) || s[after] == '/') {
			after++
		}
		if after == len(s) || s[after] != '=' {
			continue
		}
		value, next := htmlAttributeValue(s, after+1)
		if t.active(name, value) || outer && strings.IndexByte(value, '<') >= 0 && htmlMarkup(value, false) {
			return next, true
		}
		i = next
	}
	return i, false
}

// htmlAttributeValue reads the value that begins after an equals sign.
func htmlAttributeValue(s string, i int) (value string, next int) {
	for i < len(s) && blank(s[i]) {
		i++
	}
	if i == len(s) {
		return "", i
	}
	if quote := s[i]; quote == '"' || quote == '\'' || quote == '`' { // Internet Explorer takes the last one for a quote
		i++
		end := strings.IndexByte(s[i:], quote)
		if end < 0 {
			return s[i:], len(s)
		}
		return s[i : i+end], i + end + 1
	}
	from := i
	for i < len(s) && !blank(s[i]) && s[i] != '>' {
		i++
	}
	return s[from:i], i
}

// active judges one attribute with its value.
func (t *htmlTag) active(name, value string) bool {
	if at := strings.LastIndexByte(name, ':'); at >= 0 { // xlink:href
		name = name[at+1:]
	}
	if eventName(name) {
		return value != "" && !jsxName(value)
	}
	if t.kind == elementEmbeds {
		return true
	}
	var buf [16]byte
	switch string(folded(buf[:], name)) {
	case "dataformatas", "srcdoc": // markup from elsewhere in Internet Explorer; a document of its own
		return true
	case "style":
		return cssActive(value)
	case "http-equiv":
		return t.kind == elementMeta && anyFold(htmlValue(value), "refresh", "set-cookie", "link", "content-security", "x-")
	case "charset", "content":
		if t.kind == elementMeta && charsetHides(value) {
			return true
		}
	case "rel":
		return t.kind == elementLink && (containsFold(value, "stylesheet") || containsFold(value, "import"))
	case "attributename": // of an animation: it writes to another attribute
		v := htmlValue(value)
		return eventName(v) || containsFold(v, "href")
	case "href":
		if t.kind == elementBase {
			return value != ""
		}
	}
	return activeURL(value) || scriptCall(value)
}

// charsetHides: an encoding in which other bytes than < begin a tag.
func charsetHides(value string) bool {
	at := strings.LastIndexByte(value, '=') + 1
	return anyFold(strings.TrimLeft(value[at:], " '\""), "hz-", "iso-2022", "mac-", "utf-7", "utf7", "x-")
}

// jsxName: {name} or {a.name}, a handler of a component in a source file; in a page it does nothing.
func jsxName(v string) bool {
	if len(v) < 3 || v[0] != '{' {
		return false
	}
	for i := 1; i < len(v)-1; i++ {
		if !letter(v[i]) && !digit(v[i]) && v[i] != '.' && v[i] != '_' {
			return false
		}
	}
	return true
}

// maxEvent is more than the longest name of an event has: onwebkitplaybacktargetavailabilitychanged.
const maxEvent = 48

// eventName reports whether an attribute in a tag handles an event: any event, since browsers keep adding to them.
func eventName(name string) bool {
	if len(name) < 5 || len(name) > maxEvent || !fold(name, "on") {
		return false
	}
	for i := 2; i < len(name); i++ {
		if !letter(name[i]) && !digit(name[i]) {
			return false
		}
	}
	return true
}

// eventKnown reports whether a word is the name of a handler even outside of a tag. The table has the beginnings of the names of
// the events of HTML, SVG, SMIL and Internet Explorer.
func eventKnown(name string) bool {
	if !eventName(name) {
		return false
	}
	for _, begin := range [...]string{
		"abort", "activate", "after", "animation", "auxclick", "before", "begin", "blur", "bounce", "cancel", "canplay", "change",
		"click", "close", "command", "content", "context", "copy", "cuechange", "cut", "dbl", "deactivate", "drag", "drop", "end",
		"error", "filter", "finish", "focus", "form", "fullscreen", "gesture", "gotpointer", "hashchange", "help", "input",
		"invalid", "key", "language", "layout", "load", "lose", "lostpointer", "media", "message", "mouse", "move", "offline",
		"online", "orientation", "page", "paste", "pause", "play", "pointer", "popstate", "progress", "property", "ratechange",
		"readystate", "redo", "repeat", "reset", "resize", "resume", "reverse", "row", "scroll", "search", "security", "seek",
		"select", "show", "slotchange", "stalled", "start", "stop", "storage", "submit", "suspend", "syncrestored", "time", "toggle",
		"touch", "track", "transition", "undo", "unhandled", "unload", "urlflip", "volume", "waiting", "webkit", "wheel", "zoom",
	} {
		if fold(name[2:], begin) {
			return true
		}
	}
	return false
}
