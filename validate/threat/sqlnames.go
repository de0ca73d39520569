package threat

import "strings"

// sqlWeapon names the functions whose only use in an input is to wait, to read files or to leak through errors.
func sqlWeapon(name string) bool {
	var buf [32]byte
	switch string(folded(buf[:], name)) {
	case "sleep", "benchmark", "pg_sleep", "load_file", "extractvalue", "updatexml", "randomblob", "load_extension", "xp_cmdshell",
		"dbms_pipe.receive_message", "utl_http.request", "utl_inaddr.get_host_address":
		return true
	}
	return false
}

// sqlKnown names functions that take data apart or tell about the server: what an attack is made of, and no prose.
func sqlKnown(name string) bool {
	if sqlWeapon(name) {
		return true
	}
	var buf [24]byte
	switch string(folded(buf[:], name)) {
	case "aes_decrypt", "aes_encrypt", "ascii", "bin", "cast", "char", "charset", "chr", "coalesce", "coercibility", "compress", "concat", "concat_ws",
		"connection_id", "conv", "convert", "count", "ctxsys.drithsx.sn", "current_user", "database", "db_name", "elt", "find_in_set", "floor",
		"group_concat", "hex", "hex2dec", "host_name", "if", "ifnull", "iif", "is_srvrolemember", "isnull", "json_keys", "length", "lpad", "make_set",
		"md5", "mid", "nullif", "ord", "pi", "procedure", "rand", "row_count", "rpad", "schema", "session_user", "sha1", "sqlite_version", "strcmp",
		"substr", "substring", "system_user", "uncompress", "unhex", "unicode", "user", "version", "xmltype":
		return true
	}
	return false
}

// sqlUnionIn finds a UNION SELECT anywhere in a text: wherever it stands, nobody writes one of constants but to probe for columns.
func sqlUnionIn(s string) (columns, union bool) {
	for i := 1; i+4 <= len(s); i++ {
		n := strings.IndexAny(s[i:], "nN")
		if n < 0 {
			break
		}
		i += n
		if !fold(s[i-1:], "union") || i > 1 && sqlWordByte(s[i-2]) && !digit(s[i-2]) {
			continue
		}
		switch sqlAfterUnion(sqlReader{s: s, i: i - 1}) {
		case sqlNumber:
			return true, true
		case sqlStar:
			union = true
		}
	}
	return false, union
}

// sqlAfterUnion reads UNION SELECT and says what is selected: sqlNumber for a constant, sqlStar for something else, sqlBad for nothing.
func sqlAfterUnion(r sqlReader) sqlKind {
	next := func(skip ...sqlKind) sqlToken {
		t := r.next()
		for t.kind == sqlLeft || t.kind == sqlPrefix || len(skip) > 0 && t.kind == skip[0] {
			t = r.next()
		}
		return t
	}
	if r.next().kind != sqlUnion || next().kind != sqlSelect {
		return sqlBad
	}
	switch t := next(sqlSign); t.kind {
	case sqlNumber, sqlBool, sqlString, sqlOpen, sqlVar:
		return sqlNumber
	case sqlName:
		if sqlKnown(r.s[t.from:t.to]) {
			return sqlNumber
		}
		return sqlStar
	case sqlStar:
		return sqlStar
	}
	return sqlBad
}
