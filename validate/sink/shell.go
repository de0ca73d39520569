package sink

import "strings"

// Shell returns the text as one word of a POSIX shell (sh, dash, bash, zsh, ksh), in which it expands nothing (POSIX.1-2024, XCU 2.2.2).
// Every byte but NUL can be meant, a line break too. Not for cmd.exe and PowerShell, which have no such form.
//
// It says nothing about the program that gets the word: one that begins with a hyphen may be taken for an option, which [ShellFile], and
// a "--" before it, prevent. Where there is no shell in between use the arguments of exec.Command.
func Shell(text string) (string, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return "", refuse(ErrText, "shell word", text, "have no NUL")
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'", nil
}

// ShellFile returns the name of a file as one word, which no program takes for an option.
func ShellFile(name string) (string, error) {
	if name == "" {
		return "", refuse(ErrText, "file name", name, "not be empty")
	}
	if name[0] == '-' {
		name = "./" + name
	}
	return Shell(name)
}
