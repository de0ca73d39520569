package threat

import (
	"bytes"
	"strings"
)

// programKind says how much the name of a command alone says.
type programKind uint8

const (
	programNone programKind = iota
	programWord             // its name is also a word of prose, of a script or of a table's head
	programOwn              // nothing else is called so
)

// program knows the commands of a POSIX system, of the usual Linux distributions and of Windows that an injected line begins with:
// they look around, fetch, run, write, or wait. name is in lower case, without directory.
func program(name []byte) programKind {
	name = trimExe(name)
	switch string(name) {
	case ".", "alias", "arp", "assoc", "at", "base32", "basename", "bc", "call", "cat", "cd", "chdir", "comm", "copy", "cut",
		"dash", "date", "dd", "del", "diff", "dirname", "echo", "ed", "env", "erase", "eval", "exit", "export", "expr", "fetch",
		"file", "find", "finger", "fold", "format", "free", "groups", "halt", "head", "history", "host", "hostname", "init",
		"install", "ip", "join", "kill", "last", "less", "locate", "logname", "lua", "mail", "make", "man", "md", "more", "mount",
		"move", "mysql", "net", "nice", "nl", "od", "passwd", "paste", "perl", "php", "ping", "printf", "ps", "python", "rd",
		"read", "reboot", "reg", "rename", "rev", "route", "ruby", "runas", "sc", "screen", "sed", "sendmail", "service", "set",
		"shutdown", "sleep", "sort", "source", "split", "ss", "start", "strings", "stty", "su", "tail", "tar", "tee", "test",
		"time", "timeout", "top", "touch", "tr", "tree", "tty", "type", "uniq", "users", "ver", "vol", "w", "wait", "watch",
		"where", "which", "who":
		return programWord
	case "adduser", "aria2c", "attrib", "awk", "axel", "base64", "bash", "bitsadmin", "blkid", "busybox", "bzip2", "cc", "certutil",
		"chattr", "chgrp", "chmod", "chown", "chroot", "cmd", "cp", "crontab", "cscript", "csh", "curl", "df", "dig", "dir",
		"dmesg", "dpkg", "du", "egrep", "elinks", "emacs", "fdisk", "fgrep", "findstr", "fsutil", "ftp", "gawk", "gcc", "gdb",
		"getcap", "getent", "getfacl", "grep", "gunzip", "gzip", "hexdump", "hping3", "icacls", "id", "iex", "ifconfig", "ifdown",
		"ifup", "ipconfig", "iptables", "irm", "iwr", "killall", "ksh", "kubectl", "ln", "ls", "lsattr", "lsb_release", "lsblk",
		"lscpu", "lsmod", "lsof", "lspci", "lsusb", "lynx", "md5sum", "mkdir", "mkfifo", "mknod", "mkpasswd", "mshta", "mv",
		"mysqldump", "nano", "nbtstat", "nc", "ncat", "net1", "netcat", "netsh", "netstat", "nmap", "nohup", "nping", "nslookup",
		"openssl", "pgrep", "ping6", "pkill", "poweroff", "powershell", "printenv", "psql", "pwd", "pwsh", "python2", "python3",
		"regsvr32", "rm", "rmdir", "rpm", "rsync", "rundll32", "schtasks", "scp", "setenv", "setx", "sh", "sha256sum", "socat",
		"sqlite3", "ssh", "strace", "sudo", "systemctl", "systeminfo", "tac", "taskkill", "tasklist", "tcsh", "telnet", "tftp",
		"tput", "traceroute", "tracert", "umount", "uname", "unzip", "uptime", "useradd", "usermod", "vi", "vim", "vssadmin",
		"w3m", "wc", "wget", "whatis", "whereis", "whoami", "wmic", "wscript", "xargs", "xterm", "xxd", "zcat", "zsh":
		return programOwn
	}
	if cmdlet(name) {
		return programOwn
	}
	return programNone
}

func trimExe(name []byte) []byte {
	if n := len(name) - len(".exe"); n > 0 && string(name[n:]) == ".exe" {
		return name[:n]
	}
	return name
}

// subcommand: the next word of a command whose name is a word, and which then can be nothing else: net user, reg add.
func subcommand(name []byte, args string) bool {
	var buf [16]byte
	word := strings.TrimLeft(args, " \t")
	n := 0
	for n < len(word) && letter(word[n]) {
		n++
	}
	word = word[:n]
	switch string(folded(buf[:], word)) {
	case "advfirewall", "firewall", "interface", "winhttp", "wlan":
		return string(name) == "netsh"
	case "accounts", "group", "localgroup", "share", "use", "user", "view":
		return string(name) == "net" || string(name) == "net1"
	case "a", "addr", "link", "route":
		return string(name) == "ip"
	case "aux", "ax", "auxww":
		return string(name) == "ps"
	case "add", "delete", "export", "query", "save":
		return string(name) == "reg" && strings.IndexByte(args, '\\') > 0 || string(name) == "sc"
	}
	return false
}

// cmdlet: a verb and a noun of PowerShell.
func cmdlet(name []byte) bool {
	dash := bytes.IndexByte(name, '-')
	if dash < 0 {
		return false
	}
	switch string(name[:dash]) {
	case "add", "clear", "copy", "get", "import", "invoke", "new", "out", "remove", "set", "start", "stop", "write":
	default:
		return false
	}
	switch string(name[dash+1:]) {
	case "childitem", "cimmethod", "command", "content", "eventlog", "expression", "file", "item", "itemproperty", "localuser", "module",
		"mppreference", "object", "output", "process", "restmethod", "service", "sleep", "webrequest", "wmimethod", "wmiobject":
		return true
	}
	return false
}
