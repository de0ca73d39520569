package redact

import "strings"

const maxUserinfo = 512 // bytes that are searched for the end of a user part with a slash in it

// userinfo finds the user and password of a URL. s[i] is the colon of "://".
func (r *Redactor) userinfo(s string, i int) (span, bool) {
	if !strings.HasPrefix(s[i:], "://") || i == 0 || !isAlnum(s[i-1]) || !r.on(URLUser) {
		return span{}, false
	}
	start := i + 3
	at, end := -1, start
	for end < len(s) && !isURLEnd(s[end]) && s[end] != '/' && s[end] != '?' && s[end] != '#' {
		if s[end] == '@' {
			at = end
		}
		end++
	}
	if at < 0 && end < len(s) && !isURLEnd(s[end]) {
		// A password with a slash in it looks like a host with a port that is no number.
		host, port, ok := strings.Cut(s[start:end], ":")
		if !ok || strings.HasPrefix(host, "[") || port == "" || strings.Trim(port, "0123456789") == "" {
			return span{}, false
		}
		for j := end; j < len(s) && j-start < maxUserinfo && !isURLEnd(s[j]); j++ {
			if s[j] == '@' {
				at = j
			}
		}
	}
	if at <= start || s[start:at] == "git" || markLen(s[start:at]) > 0 {
		return span{}, false
	}
	return span{start, at, URLUser}, true
}

func isURLEnd(c byte) bool { return isSpace(c) || isQuote(c) || c == '<' || c == '>' || c == '\\' }

// address finds an e-mail address: its local part ends at s[at], its domain begins at s[i].
func (r *Redactor) address(s string, at, i, from int) (span, bool) {
	if !r.on(Email) {
		return span{}, false
	}
	end := 0 // of the longest domain so far
	for label := i; ; {
		j, letters := label, true
		for j < len(s) && isDomainByte(s[j]) {
			letters = letters && !isDigit(s[j])
			j++
		}
		if j == label {
			break
		}
		if label > i && (letters || strings.HasPrefix(s[label:j], "xn--")) && j-label >= 2 && !isFileType(s[label:j]) {
			end = j
		}
		if j >= len(s) || s[j] != '.' {
			break
		}
		label = j + 1
	}
	for end > 0 && s[end-1] == '-' {
		end--
	}
	if end == 0 { // before the local part, which is looked for only once then
		return span{}, false
	}
	start := at
	for start > from && isLocalByte(s[start-1]) {
		start--
	}
	for start < at && strings.IndexByte("._%+-'/=", s[start]) >= 0 {
		start++
	}
	if start == at || s[start:at] == "git" && end < len(s) && s[end] == ':' {
		return span{}, false
	}
	return span{start, end, Email}, true
}

func isLocalByte(c byte) bool {
	return isAlnum(c) || c >= 0x80 || strings.IndexByte("._%+-'&*!", c) >= 0
}

func isDomainByte(c byte) bool { return isAlnum(c) || c == '-' || c >= 0x80 }

// isFileType reports whether what looks like a top-level domain is the end of a file's or a unit's name, as in
// icon@2x.png.
func isFileType(label string) bool {
	switch label {
	case "png", "jpg", "jpeg", "svg", "gif", "webp", "css", "js", "json", "go", "py", "service", "socket", "target", "timer",
		"slice", "mount":
		return true
	}
	return false
}
