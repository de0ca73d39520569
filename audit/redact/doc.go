// Package redact takes secrets and personal data out of what is about to be logged, recorded or shown: texts, JSON, errors,
// slog attributes and any other value.
//
// For most uses: hold what is known to be a secret in a [Secret], which shows itself to nobody, and make one [Redactor] with
// [New] for what comes from elsewhere. Package logging puts it in front of a slog handler. In front of an audit log it goes
// where events are encoded, before they are hashed:
//
//	Redact: func(_ audit.Kind, data []byte) ([]byte, error) { return redactor.JSON(nil, data), nil },
//
// # What is found
//
// A value is taken out whole where its name is a key, such as password, api_key, Authorization or set-cookie: an
// attribute, a field, an entry of a map, the name of a group, or in a text what follows the name and ':' or '=' or, after a
// dash, a space. Elsewhere it is found by how it looks (the kinds): by a prefix that services give their keys, by
// a checksum, or by its form. Nothing is judged by its entropy alone, which takes commit hashes and ids for secrets. What is
// taken out is replaced by a mark such as "[redacted:api-key]"; no part of it stays.
//
// The measured recall is that of generated secrets in a number of surroundings each, among them JSON in strings, query
// parameters and %-escapes: all of 13 x 400 are found. Of 6183 lines of prose, code, configurations, paths and logs without
// secrets, 7 are changed: 5 with real e-mail addresses, 2 with session ids. TestRecall and TestFalseAlarms print the tables.
//
// # What is not
//
// A password after "is" or a space, or on the line after its name; one whose separator is itself a %-escape ("password%3D");
// the words of a command line such as "-u user:word"; the value of a pair {"name": "password", "value": …}; a user and password
// in an address without a scheme; a value that was encoded, encrypted or split; an unquoted value behind its first white
// space; names and postal addresses of people; IP addresses. A secret that has no form, such as a password, is found only
// by its key or as one of [Config].Secrets. Redaction is the last line: what must not be logged is best not passed.
//
// # Speed
//
// A table from pairs of bytes to what may begin there lets most of a text pass at one load per byte, and without
// allocation. Every detector checks what it needs by itself, so that the table can only let too much through to them;
// FuzzFilter compares with asking all of them at every byte. Any text takes time in proportion to its length.
package redact
