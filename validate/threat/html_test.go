package threat

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// sinkLines returns the lines of one of the shared corpora.
func sinkLines(t testing.TB, name string) (lines []string) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "validate", name+".jsonl"))
	if err != nil {
		t.Skip("the shared corpora are not here")
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var line struct{ S string }
		require.NoError(t, json.Unmarshal(sc.Bytes(), &line))
		lines = append(lines, line.S)
	}
	require.NoError(t, sc.Err())
	require.NotEmpty(t, lines)
	return lines
}

// sinkRows checks that a flag gives one class to all of the texts.
func sinkRows(t *testing.T, flag func(string) Class, want Class, texts ...string) {
	t.Helper()
	for _, s := range texts {
		require.Equal(t, want, flag(s), "%q", s)
	}
}

func TestHTMLActive(t *testing.T) {
	t.Parallel()
	for rule, texts := range map[string][]string{
		"elements that run or embed": {"<script>x</script>", "</script><script src=//e.example/a.js>", "<SCRIPT/XSS SRC=a>", "<iframe src=a.html>", "<embed src=a.swf>", "<object data=a>",
			"<svg><g/onload=f()></svg>", "<math><mi>", "<style>*{}</style>", "<scr\x00ipt>f()</script>", "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>f()</x:script>", "<<script>f()"},
		"documents that load": {"<base href=//e.example/>", "<link rel=stylesheet href=a.css>", `<link rel="alternate stylesheet" href=a>`, `<meta http-equiv="refresh" content="0;url=//e.example">`,
			`<meta charset="utf-7">+ADw-script+AD4-`, `<iframe srcdoc="&lt;b&gt;">`, "<link rel=import href=a>"},
		"handlers in a tag": {"<img src=x onerror=f()>", "<p/onclick=f()//>", "<x onfoo=1>", "<body\nonload\n=\nf()>", "<b \"onclick=f()>", "<img src='x'onerror=f()>", "<a\fonclick=f>", "<img alt='>' onerror=f()>",
			"<input autofocus onfocus=f()", `<button onClick={() => f()}>`, "<video><source onerror=f()>"},
		"handlers out of an attribute": {`" onload=f() x="`, "' onmouseover='f(1)", `"autofocus/onfocus=f()//`, "x\tonclick=alert(1)", "` onerror=f()", "onwebkitplaybacktargetavailabilitychanged=f()"},
		"addresses that run": {"javascript:f()", " \tJavaScript:f()", "java\nscript:f()", "\x01javascript:f()", "vbscript:f", "data:text/html,<b>", "&#106;avascript:f()", "javascript&colon;f()", "jav&#x09;ascript:f()",
			"<a href=javascript:f()>", "<a href=' &#14; javascript:f()'>", "<form action=javascript:f()>", "<button formaction=javascript:f()>", `<meta content="0;url=javascript:f()">`,
			"<a href=data:text/html;base64,PHA+>", "<img src=data:image/svg+xml,x>", "<svg><animate attributeName=href values=javascript:f() />", "<a xlink:href=javascript:f()>", "<a href=view-source:javascript:f()>", `<a href="\x0bjavascript:f()">`, "<a href=\u2028javascript:f()>"},
		"style sheets": {"<p style='x:expression(f())'>", `<p style="x:e\78pression(f())">`, "<p style='x:exp/**/ression(f())'>", "<p style='background:url(a)'>", "<p style='-moz-binding:x'>", "<p style='a{b}'>", `<p style="@import 'a'">`},
		"out of a string of a script": {"';alert(1)//", "'-alert(1)-'", `"+confirm(1)+"`, "\\';prompt(1)//", "`;alert(1)//", "${alert(1)}", "';(()=>alert(1))()//", "'-top['al'+'ert'](1)-'", "';location='//e.example'", "';new Function('f()')()//",
			"alert(document.domain)", "(alert)(1)", "a=alert,a(1)", "[1].find(alert)", `{{constructor.constructor("f()")()}}`},
		"declarations":         {"<!doctype x [<!entity y 'z'>]>", "<!ENTITY x SYSTEM 'file:///x'>", "<?xml-stylesheet href='javascript:f()'?>", "<?import namespace=t>"},
		"markup within values": {`<p title="</noscript><img src=x onerror=f()>">`, `<a title='<script>'>`},
		"layers":               {"%3Cscript%3E", "%253Cscript%253E", "%u003cscript%u003e", "&lt;script&gt;", `\x3cscript\x3e`, `\u003cimg src=x onerror=f()\u003e`, `\74script\76`},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			sinkRows(t, HTML, Active, texts...)
		})
	}
}

func TestHTMLHarmless(t *testing.T) {
	t.Parallel()
	sinkRows(t, HTML, None,
		"", "<", "<>", "</>", "a < b", "1<2", "x<-y", "List<String> x", "map<string, vector<int>> m;", "if a<b and c>d", "#include <stdio.h>", "<name>", "<key>=<value>", "<me@example.com>", "<https://example.com>", "replace <object> with it", "<|endoftext|>", "<s>[INST]",
		"<b>x</b>", `<a href="https://example.com/?a=b&c=d">x</a>`, "<img src=x.png>", `<img src="data:image/png;base64,iVBORw0KGgo=" alt="a">`, `<p align="center" style="color: red; margin: 0 auto">`, "<br/>", `<div class="note" id='x' data-id="3">`,
		"<!-- a comment -->", "<!DOCTYPE html>", `<?xml version="1.0"?>`, "<!DOCTYPE a SYSTEM \"a.dtd\"> x[0]", `<link rel="next" href="b.html">`, `<meta name="author" content="x">`, `<meta charset="utf-8">`, `<meta http-equiv="Content-Type" content="text/html; charset=utf-8">`,
		`<form action="/search"><input name=q value="1">`, "<Button onClick={handler}>", "<details open><summary>x</summary>", "&lt;b&gt;", "5 &lt; 6", "AT&T; x", `[x](https://e.example "title")`,
		"once = f(x)", "only = 1", `one="1"`, "online=f(x)", "onset=3", "ones = np.ones(3)", "on = a(b)", "the onclick attribute", "window.onload = f",
		"JavaScript: an introduction", "javascript: the good parts", "the javascript: scheme", "data: make([]byte, 5),", "Data: path.join(a, b),", "data:image/png;base64,iVBOR", "mailto:a@example.com", "for i := range x {",
		"x = eval(y)", "eval(expr)", "prompt(user)", "`--eval` or `STDIN`", "it's an alert (red)", `self["x"] = f(y)`, "location = r.header('Location')", "print('x')", "a, 'b' + c(d)", "the constructor('x') of it",
	)
}

// TestHTMLOfTraps: texts on which other detectors and sanitisers fail; see the issues of libinjection for the first three.
func TestHTMLOfTraps(t *testing.T) {
	t.Parallel()
	for _, flag := range []func(string) Class{HTML, Shell, Path, Text} {
		sinkRows(t, flag, None, "!@#", "TEST 0001 - (09/07/2025)", "image/*;q=0.8", "select a table; drop by (tomorrow)", "a..b", "O'Brien & Sons")
	}
	// Decoding after judging makes the attack: it is judged as if it were still to be decoded.
	sinkRows(t, HTML, Active, "&lt;script&gt;f()&lt;/script&gt;", "&lt;img src=x onerror=f()&gt;")
	sinkRows(t, HTML, None, "&lt;b&gt;bold&lt;/b&gt;", "&amp;lt;b&amp;gt;")
}

// tokenizerActive is the oracle: a text, read as the text of a page by the tokenizer of the HTML standard, has an element or an
// attribute that runs script.
func tokenizerActive(s string) bool {
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return false
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			switch token.Data {
			case "script", "iframe", "frame":
				return true
			}
			for _, a := range token.Attr {
				value := strings.ToLower(strings.Map(func(r rune) rune {
					if r <= ' ' {
						return -1
					}
					return r
				}, a.Val))
				switch {
				case eventName(a.Key) && a.Val != "" && !jsxName(a.Val):
					return true
				case (a.Key == "href" || a.Key == "action" || a.Key == "formaction") && strings.HasPrefix(value, "javascript:") && len(value) > 11 && value[11] != ':':
					return true
				}
			}
		}
	}
}

// TestHTMLAgainstTheTokenizer: what the tokenizer finds active is flagged, with and without a layer of percent encoding.
func TestHTMLAgainstTheTokenizer(t *testing.T) {
	t.Parallel()
	require.False(t, tokenizerActive("<p title='<script>'>x"), "the oracle reads as browsers do")
	require.Zero(t, oracleMisses(t, generatedMarkup()))
}

func TestHTMLAgainstTheTokenizerOnTheCorpora(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"attack_xss", "attack_xxe", "benign_text", "benign_hard", "benign_techdoc", "benign_code"} {
		require.Zero(t, oracleMisses(t, sinkLines(t, name)), name)
	}
}

func oracleMisses(t *testing.T, texts []string) (misses int) {
	active := 0
	for _, s := range texts {
		if !tokenizerActive(s) {
			continue
		}
		active++
		if HTML(s) != Active || HTML(strings.NewReplacer("%", "%25", "<", "%3C", ">", "%3e", "&", "%26", "+", "%2b").Replace(s)) != Active {
			misses++
			t.Logf("missed: %q", s)
		}
	}
	t.Logf("%d of %d active", active, len(texts))
	return misses
}

// generatedMarkup writes tags in all the ways in which the grammar of HTML lets one write them, and some that it does not.
func generatedMarkup() (texts []string) {
	for _, before := range []string{"", "text ", `">`, "'>", "-->", "</title>", "<b>", "a<b c='", "<!-- x -->", "<p title=\"", "<textarea>"} {
		for _, tag := range []string{"a", "IMG", "x-y", "svg", "details", "script", "iframe"} {
			for _, space := range []string{" ", "\n", "\t", "/", "\f", "\r\n", " / ", " y=1 ", " y='>' ", ` y="<" `, " y ", " =z "} {
				for _, attribute := range []string{"onclick=f()", "ONLOAD = 'f()'", `onerror="f()"`, "onfocus=\nf", "on\x00load=f", "href=javascript:f()", "href=' java\tscript:f()'", `href="&#106;avascript&colon;f()"`, "formaction=JAVASCRIPT:f", "title=x", "href=https://e.example/?javascript:f", "once=", "onclick=''"} {
					for _, after := range []string{">", "/>", " ", " z='"} {
						texts = append(texts, before+"<"+tag+space+attribute+after)
					}
				}
			}
		}
	}
	return texts
}

func TestFlagsDoNotAllocateOnCleanText(t *testing.T) {
	clean := []string{
		"The quick brown fox; it jumps (often) over \"the\" lazy dog's <b>back</b> & rests — 100 % of the time.",
		"for i := range x { y[i] = f(a.b, 'c') || d; } // a < b, see pkg/mod: https://example.com/a/b?c=d#e",
		`{"type": "sort", "id": 3, "items": ["head", "tail"], "path": "data/train.jsonl", "n": 1e-4}`,
		"2026-01-02 03:04:05,678 INFO org.example.Worker: took 12 ms; next | retry=3 [main] $VAR",
		"/data/run-3/epoch.12/weights.bin", "0x1f & 0x20 == '\\t'", "日本語のテキスト、with emoji 👩‍💻 and e\u0301",
	}
	for name, flag := range map[string]func(string) Class{"html": HTML, "shell": Shell, "path": Path, "text": Text} {
		for _, s := range clean {
			require.Equal(t, None, flag(s), "%s: %q", name, s)
			require.Zero(t, testing.AllocsPerRun(10, func() { flag(s) }), "%s: %q", name, s)
		}
	}
}

// TestFlagsOfLargeTexts ends in time only if no flag looks back or ahead without bound: a quadratic one takes minutes.
func TestFlagsOfLargeTexts(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"<a ", `<a x="`, `<a x='<a y="`, "<!doctype ", "<a style=\"a/*\" ", "javascript:", "feed:", "'-", "onload= ", "constructor", "(a", `\x3`, "&#", "%25", "%0",
		"; cat,", "`ls", "$(ls ", "for /f ", "; sleep ", "|", "system(", "a/", "../", "..2f", "\xc0", "{{", "\u200e", "👩", " "} {
		s := strings.Repeat(unit, (1<<18)/len(unit))
		for _, flag := range []func(string) Class{HTML, Shell, Path, Text} {
			flag(s)
		}
	}
}

// TestFullWidth: what becomes a tag by normalisation is one; quotation in Chinese and Japanese is none.
func TestFullWidth(t *testing.T) {
	t.Parallel()
	require.Equal(t, Active, HTML("＜script＞alert(1)＜/script＞"))
	require.Equal(t, None, HTML("参照＜図1＞を見る, a ＜ b"))
}
