package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// harmless requires that a text in a page is that text: in each context the page has the elements and attributes that it has with an
// innocent one, and the text reads back as it was.
func harmless(t testing.TB, text string) {
	t.Helper()
	want := strings.NewReplacer("\x00", "\ufffd", "\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(text, "\ufffd"))
	safe := HTML(text)
	for _, c := range []struct{ before, after string }{
		{"<p>", "</p>"}, {`<p title="`, `">x</p>`}, {`<p title='`, `'>x</p>`}, {"<textarea>\n", "</textarea>"}, {"<title>", "</title>"}, {"<td>", "</td>"},
	} {
		page := c.before + safe + c.after
		shape, found := read(t, page)
		innocent, _ := read(t, c.before+"x"+c.after)
		if !slices.Equal(innocent, shape) {
			t.Fatalf("%q in %s: %q", text, c.before, shape)
		}
		if c.before == "<p>" && want != strings.ToValidUTF8(found, "\ufffd") {
			t.Fatalf("%q reads back as %q", text, found)
		}
	}
}

// read returns the elements and the names of attributes of a page, and its text.
func read(t testing.TB, page string) (shape []string, text string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return shape, text
		case html.TextToken:
			text += string(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			tok := z.Token()
			s := tok.Type.String() + " " + tok.Data
			for _, a := range tok.Attr {
				s += " " + a.Key
			}
			shape = append(shape, s)
		default:
			shape = append(shape, "other")
		}
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	all := texts(t)
	for _, s := range all {
		harmless(t, s)
	}
	t.Logf("%d texts in 6 contexts", len(all))
	require.Equal(t, "&lt;b&gt;", HTML("<b>"))
	require.Equal(t, "&amp;lt;b&amp;gt;", HTML(HTML("<b>")), "nothing is decoded on the way")
}

func TestScript(t *testing.T) {
	t.Parallel()
	for _, s := range texts(t) {
		safe, err := Script(s)
		require.NoError(t, err)
		var back string
		if err := json.Unmarshal([]byte(safe), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Fatalf("%q reads back as %q: %v", s, back, err)
		}
		element, _ := read(t, "<script>x="+safe+"</script>")
		attribute, _ := read(t, `<p onclick="f(`+HTML(safe)+`)">`)
		if strings.ContainsAny(safe, "<>&\u2028\u2029\n\r") || !slices.Equal(element, []string{"StartTag script", "EndTag script"}) || !slices.Equal(attribute, []string{"StartTag p onclick"}) {
			t.Fatalf("%q as %s: %q, %q", s, safe, element, attribute)
		}
	}
	_, err := Script(func() {})
	require.Error(t, err)
}

func TestHTMLAddress(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"https://example.com/a?b=c&d=%20#e", "HTTP://example.com", "mailto:a@b.de", "/docs", "docs/a:b", "?q=a:b", "#a:b", "//example.com/x", ""} {
		got, err := HTMLAddress(s)
		require.NoError(t, err, s)
		require.Equal(t, strings.ReplaceAll(s, "&", "&amp;"), got)
	}
	for _, s := range []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x", "vbscript:x",
		"file:///etc/passwd", `\\evil.com/x`, `/\evil.com`, "a:b", "%zz", "javascript&#58;alert(1)"} {
		_, err := HTMLAddress(s)
		if s == "javascript&#58;alert(1)" { // a relative address, once its ampersand is written as one
			require.NoError(t, err)
			continue
		}
		require.Error(t, err, s)
	}
	_, err := HTMLAddress("ftp://x/y", "ftp")
	require.NoError(t, err)
	_, err = HTMLAddress("https://x/y", "ftp")
	require.ErrorIs(t, err, ErrUnlisted)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Permanent())
}

// TestChromium shows pages to a browser: those with an attack as it is, each of which acts, and those with what [HTML], [Script] and
// [HTMLAddress] make of all texts, in which nothing does.
func TestChromium(t *testing.T) {
	t.Parallel()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			browser = found
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium here")
	}
	var payloads []string
	for _, s := range texts(t) {
		if (strings.ContainsAny(s, "<\"\x00\x1b") || strings.Contains(s, "script") || !utf8.ValidString(s)) && len(s) < 2000 {
			payloads = append(payloads, s)
		}
	}
	for _, s := range []string{"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", `<p onmouseover="alert(1)">x</p>`, `<p class="click" onclick="alert(1)">x</p>`,
		`<a class="click" href="jav&#x09;ascript:alert(1)">x</a>`, "<p>x</p><b>y</b>", "</div><p>x</p>"} {
		t.Run("raw", func(t *testing.T) {
			t.Parallel()
			require.True(t, ran(t, browser, []string{s}), "the test can fail: %s", s)
		})
	}
	const perPage = 1500
	for some := range slices.Chunk(payloads, perPage) {
		t.Run("safe", func(t *testing.T) {
			t.Parallel()
			var page []string
			for _, s := range some {
				safe := HTML(s)
				js, err := Script(s)
				require.NoError(t, err)
				page = append(page, `<p title="`+safe+`" lang='`+safe+"'>"+safe+"</p>", "<textarea>"+safe+"</textarea>",
					"<script>window.kept = "+js+"</script>", `<p class="click" onclick="window.kept = `+HTML(js)+`">x</p>`)
				if a, err := HTMLAddress(s); err == nil {
					page = append(page, `<a class="click" href="`+a+`">x</a>`)
				}
			}
			require.False(t, ran(t, browser, page))
		})
	}
}

// ran shows a page with fragments of one element each to a browser, clicks and moves over what they hold, and tells whether script of a
// payload ran, or there are other elements than those.
func ran(t *testing.T, browser string, fragments []string) bool {
	t.Helper()
	var page strings.Builder
	page.WriteString(`<!doctype html><meta charset="utf-8"><body><script>
window.hits = 0;
for (const f of ["alert", "prompt", "confirm", "print", "open"]) window[f] = () => { window.hits++ };
window.onerror = () => true;
const done = () => {
  const all = document.querySelectorAll("body > div, body > div *").length, open = document.querySelectorAll("body > div").length;
  document.documentElement.setAttribute("data-hits", [window.hits, all, open].join(" "));
};
addEventListener("load", () => {
  for (const e of document.querySelectorAll("body *")) for (const k of ["mouseover", "mouseenter", "focus", "toggle", "animationend"]) e.dispatchEvent(new Event(k, {bubbles: false}));
  for (const e of document.querySelectorAll(".click")) { try { if (e.tagName == "A" && e.protocol == "javascript:") window.hits++; else if (e.tagName != "A") e.click(); } catch {} }
  setTimeout(done, 300);
});
</script>
`)
	for _, f := range fragments {
		page.WriteString("<div>" + f + "</div>\n")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	require.NoError(t, os.WriteFile(file, []byte(page.String()), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=3000", "--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String())
	cmd.WaitDelay = time.Second
	dom, err := cmd.Output()
	require.NoError(t, err)
	_, after, found := strings.Cut(string(dom), `data-hits="`)
	require.True(t, found, "the page got to its end") // else nothing is known
	got, _, _ := strings.Cut(after, `"`)
	t.Logf("%d fragments; ran, elements, divisions: %s", len(fragments), got)
	return got != fmt.Sprintf("0 %d %d", 2*len(fragments), len(fragments)) // each is in a division
}
