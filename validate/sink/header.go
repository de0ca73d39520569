package sink

import (
	"mime"
	"strings"
)

// HeaderName returns the text if it can be the name of a field of HTTP or of a mail: a token (RFC 9110, 5.6.2).
func HeaderName(text string) (string, error) {
	if !token(text) {
		return "", refuse(ErrText, "header name", text, "be a token")
	}
	return text, nil
}

func token(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return text != ""
}

// HeaderValue returns the text if it can be the value of a field of HTTP or of a mail as it is: ASCII, tabs and spaces within, and no other
// control characters (RFC 9110, 5.5). A line break would begin another field.
func HeaderValue(text string) (string, error) {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return "", refuse(ErrText, "header value", text, "be ASCII without line breaks and control characters")
		}
	}
	if strings.Trim(text, " \t") != text {
		return "", refuse(ErrText, "header value", text, "have no spaces around it")
	}
	return text, nil
}

// Attachment returns the value of a Content-Disposition that offers a file to be saved under a name (RFC 6266), which must be one
// for [Name].
func Attachment(name string) (string, error) {
	if _, err := Name(name); err != nil {
		return "", err
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": name}), nil
}
