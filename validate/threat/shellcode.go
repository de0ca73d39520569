package threat

import "strings"

// shellCode looks for code of a script language that starts commands, or that a server would run in a page: system('…'), <?php …,
// <!--#exec …. Only calls with a string count, so that code about commands is no attack.
func shellCode(s string) bool {
	for i := 0; i < len(s); i++ {
		j := strings.IndexByte(s[i:], '(')
		if j < 0 {
			break
		}
		i += j
		if shellCall(s, i) {
			return true
		}
	}
	for i := 0; i < len(s); i++ {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			break
		}
		i += j
		if anyFold(s[i:], "<?php", "<!--#exec", "<!--#include") {
			return true
		}
	}
	return false
}

// shellCall judges the call whose parenthesis is at i.
func shellCall(s string, i int) bool {
	from := i
	for from > 0 && i-from < 16 && (letter(s[from-1]) || s[from-1] == '_') {
		from--
	}
	if i-from < 4 || from > 0 && digit(s[from-1]) {
		return false
	}
	rest := strings.TrimLeft(s[i+1:min(len(s), i+64)], " ")
	quoted := oneOf(first(rest), "'\"`$\\&")
	method := from > 0 && s[from-1] == '.'
	var buf [16]byte
	switch string(folded(buf[:], s[from:i])) {
	case "check_output", "passthru", "pcntl_exec", "popen", "proc_open", "shell_exec", "system":
		return quoted
	case "eval", "exec": // of expressions and of databases too, unless the string is a command
		return quoted && len(rest) > 1 && (rest[1] == '/' || rest[0] == '$' || isCommand(rest[1:]))
	case "phpinfo", "phpversion":
		return !method && first(rest) == ')'
	case "sleep":
		end := strings.IndexByte(rest, ')')
		return !method && (end > 0 && end < 7 && digit(rest[0]) && fewWords(s, 2) && strings.ContainsAny(s[:from], "{;'\"(&|") || fold(rest, "hexdec"))
	}
	return false
}

func isCommand(s string) bool {
	var buf [24]byte
	c, ok := readCommand(s, buf[:])
	return ok && c.starts(true)
}
