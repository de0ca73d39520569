package threat

import "strings"

// pathSystem reports whether a text as a whole is the path of a file that belongs to the system or to a server, or that holds
// secrets.
func pathSystem(s string) bool {
	p := strings.TrimRight(strings.TrimLeft(s, `/\`), " ?#;")
	rooted := len(p) < len(s) && oneOf(s[0], `/\`)
	drive := len(p) > 2 && letter(p[0]) && (p[1] == ':' || p[1] == '|') && oneOf(p[2], `/\`)
	if drive {
		p = strings.TrimLeft(p[2:], `/\`)
	}
	if p == "" || strings.ContainsAny(p, "<>|\"\n") {
		return false
	}
	if pathWindows(p, drive, rooted || drive) {
		return true
	}
	if strings.IndexByte(p, ' ') >= 0 {
		return false
	}
	base := p[strings.LastIndexAny(p, `/\`)+1:]
	return pathSecret(base) || pathAccount(p) || pathProbe(p) || pathDevice(base) ||
		(rooted || drive) && (pathTree(p) || pathServer(p, base, drive))
}

// pathTree: below one of the directories that the Filesystem Hierarchy Standard gives to the system. Programs (/usr, /opt), data
// (/srv, /home, /mnt) and temporary files are not among them.
func pathTree(p string) bool {
	top, rest, _ := strings.Cut(p, "/")
	var buf [8]byte
	switch string(folded(buf[:], top)) {
	case "boot", "dev", "etc", "proc", "sys":
		return rest != "" && !anyFold(rest, "null", "shm/", "stdin", "stdout", "stderr")
	case "private": // of macOS
		return anyFold(rest, "etc/", "var/log", "var/db", "var/root")
	case "run":
		return fold(rest, "secrets/")
	case "root":
		return anyFold(rest, ".aws", ".bash", ".config/gcloud", ".docker", ".gnupg", ".kube", ".profile", ".ssh", "anaconda-ks")
	case "var":
		return rest != "" && !anyFold(rest, "folders/", "opt/", "tmp/")
	}
	return false
}

// pathServer: an absolute path of a configuration or a log of a server: of any where programs are installed, of the well-known ones
// everywhere. What a distribution ships in /usr/share and /usr/lib is public, and /data/run/train.log is nobody's.
func pathServer(p, base string, drive bool) bool {
	var buf [20]byte
	switch string(folded(buf[:], base)) {
	case "access.log", "access_log", "error.log", "error_log", "httpd.conf", "my.cnf", "my.ini", "nginx.conf", "php.ini", "proftpd.conf", "vsftpd.conf":
		return true
	}
	if !drive && !anyFold(p, "opt/", "usr/", "srv/") || anyFold(p, "usr/share/", "usr/lib") {
		return false
	}
	dot := strings.LastIndexByte(base, '.')
	switch string(folded(buf[:], base[dot+1:])) {
	case "cnf", "conf", "htpasswd", "ini", "log", "pwd":
		return dot > 0
	}
	return len(base) > 4 && anyFold(base[len(base)-4:], "_log", "-log")
}

// pathWindows: below the directories that a Windows system keeps for itself. drive: a drive stands before, absolute: that or a
// separator; without one only names that nobody else uses count.
func pathWindows(p string, drive, absolute bool) bool {
	top := p
	if at := strings.IndexAny(p, `/\`); at >= 0 {
		top = p[:at]
	}
	var buf [24]byte
	switch string(folded(buf[:], top)) {
	case "autoexec.bat", "boot.ini", "bootmgr", "config.sys", "inetpub", "io.sys", "msdos.sys", "ntdetect.com", "ntldr", "pagefile.sys",
		"recycler", "system32", "winnt":
		return true
	case "windows":
		return drive || len(p) > len(top) && anyFold(p[len(top)+1:], "panther", "php.ini", "repair", "system", "win.ini", "windowsupdate")
	case "documents and settings", "program files", "program files (x86)", "programdata":
		return absolute
	case "apache", "mysql", "php", "sysprep", "sysprep.inf", "sysprep.xml", "system volume information",
		"unattend.txt", "unattend.xml", "wamp", "xampp":
		return drive
	case "users":
		return drive && containsFold(p, "ntuser.")
	}
	return false
}

// pathProbe finds the files that every scanner asks for, whatever hides the separators before them.
func pathProbe(p string) bool {
	for _, name := range [...]string{"etc/group", "etc/hosts", "etc/issue", "etc/passwd", "etc/shadow", "proc/self/",
		"boot.ini", "win.ini", "/system32/"} {
		if at := strings.Index(p, name); at >= 0 && len(p)-at-len(name) < 24 {
			return true
		}
	}
	return false
}

// pathSecret names files by what they hold, wherever they are: keys, passwords, histories of shells, settings with passwords.
func pathSecret(base string) bool {
	var buf [20]byte
	switch string(folded(buf[:], base)) {
	case ".aws", ".bash_history", ".git-credentials", ".htaccess", ".htpasswd", ".ksh_history", ".my.cnf", ".mysql_history", ".netrc",
		".npmrc", ".passwd", ".pgpass", ".php_history", ".psql_history", ".python_history", ".rhosts", ".sh_history", ".shosts",
		".sqlite_history", ".ssh", ".zsh_history", "authorized_keys", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa", "known_hosts",
		"master.passwd", "passwd", "shadow", "sshd_config", "web.config", "wp-config.php":
		return true
	}
	return false
}

// pathAccount: below a directory where an account keeps keys.
func pathAccount(p string) bool {
	for _, dir := range [...]string{".aws/", ".docker/config", ".gnupg/", ".kube/", ".ssh/"} {
		if at := strings.Index(p, dir); at == 0 || at > 0 && oneOf(p[at-1], `/\`) {
			return true
		}
	}
	return false
}

// pathDevice: a name that Windows opens as a device in any directory and with any ending, or as another stream of a file. In
// lower case con, aux, nul and prn are names of files elsewhere.
func pathDevice(base string) bool {
	if at := strings.IndexByte(base, ':'); at > 0 && strings.HasPrefix(base[at:], "::$") || strings.HasSuffix(base, ":$i30") {
		return true
	}
	name, rest, ok := strings.Cut(base, ".")
	if strings.HasSuffix(name, ":") {
		name, ok = name[:len(name)-1], true
	}
	if len(rest) > 4 {
		return false
	}
	switch name {
	case "AUX", "CON", "NUL", "PRN":
		return ok
	case "CONIN$", "CONOUT$":
		return true
	}
	return len(name) == 4 && anyFold(name, "com", "lpt") && name[3] >= '1' && name[3] <= '9' && (ok || name[0] < 'a')
}
