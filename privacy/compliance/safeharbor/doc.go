// Package safeharbor finds identifiers of persons by their format, in text and in columns: those among the 18 of HIPAA's Safe Harbor,
// 45 CFR 164.514(b)(2)(i), that have one.
//
// For most uses: make a [Scanner], give it every cell of a table with [Scanner.Cell], or a text with [Scanner.Text], and turn the
// [Report] into evidence for package compliance with Report.Scan.
//
// It is engineering evidence, not legal advice, and finding nothing does not mean that nothing is there. Names, places in prose,
// faces, fingerprints, and every other code that singles somebody out have no format; they stay with a human.
//
// # What is found
//
// ZIP codes of more than three digits, and those of three that stand for few people; dates more precise than the year; ages above 89;
// telephone and fax numbers (of North America, international with "+" or "00", others after a word such as "phone"); e-mail
// addresses; social security numbers by their areas; medical record, health plan, account, licence and serial numbers after a word
// that calls them so; payment cards and IMEIs by Luhn's checksum, IBANs by theirs, VINs by their check digit, Medicare beneficiary
// identifiers, DEA numbers, UDIs; licence plates after a word; MAC and IP addresses; URLs with a scheme (file:// and the
// http:\/\/ of JSON among them) or "www". Words are English.
// Formats of the site, such as that of its record numbers, can be added.
//
// Digits of every script, typographic dashes and spaces, full-width forms and characters of no width are read as what they look
// like. The name of a column counts as the word in front of its cells.
//
// # How good it is
//
// TestMeasuredRecall and TestMeasuredFalsePositives print recall and false positives by kind, on identifiers and look-alikes made
// from a fixed seed: go test -v -run Measured ./privacy/compliance/safeharbor. Such figures hold for data of that make alone.
//
// A scan is linear in the length of the text: every position looks at a bounded number of characters before and behind it. Memory is
// bounded, and results hold no text, only the kind, the place and the count.
package safeharbor
