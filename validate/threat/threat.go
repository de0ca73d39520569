// Package threat tells whether a text looks as if it would act at a place where it might be used: as SQL, HTML, a command, a path,
// or a line on a screen. A verdict is advice for a log or a counter, and never a defence: that is package sink, which needs no
// verdict. A text of a data set is data, whatever it looks like.
//
// For most uses call SQL, HTML, Shell, Path or Text, each for its own place, and count what is not None. A text is judged by
// what it would do to the grammar at its place, not by words it has: "select a table; drop by" is prose to SQL. It is also
// judged as if up to two layers of percent encoding were still to be removed.
//
// All of them take time proportional to the text, and none allocates on a text without the first signs of an attack.
//
// Lines flagged, in percent, as TestThreatTable of the module bench prints them, which has every list and kind. "Own" are lists that were
// written before any detector saw them; CRS is OWASP's Core Rule Set at paranoia 1, whatever rule it is that fires.
//
//	                              SQL   HTML  Shell   Path   Text | libinjection: SQL   XSS |   CRS
//	public payloads of its kind  99.7   99.5   88.2   95.2   97.2 |              99.7  99.1 | 74-100
//	own payloads of its kind     98.3  100.0   95.0  100.0        |              85.0  88.3 |  87-98
//	6,183 harmless lines           .15    .00    .00    .00    .06 |               .76   .00 |   5.6
//	95,000 lines of this machine   .10    .01    .09    .03    .22
//
// The second row from below is prose, manual pages, Go code, logs, paths, configurations and names; the last is sources of many
// languages, documents and configurations. Shell scripts are commands: 12 % of their lines are flagged by Shell, pages of HTML by HTML.
package threat

// Class says how a text would act. The zero value is None.
type Class string

// Classes.
const (
	None      Class = ""
	SQLI      Class = "sqli"      // changes the statement around it
	Active    Class = "xss"       // runs script, or loads what does
	Command   Class = "command"   // starts a command
	Traversal Class = "traversal" // names a file outside of the directory
	System    Class = "system"    // names a well-known file of the system, of an account or of a server
	Control   Class = "control"   // has control characters, raw or percent-encoded
	Bidi      Class = "bidi"      // changes the direction of the text around it
	Invisible Class = "invisible" // has characters that take no room
	Template  Class = "template"  // has the delimiters of a template
	Token     Class = "token"     // has a control token of a language model
)

// maxDecode bounds what is decoded and what is shown to detectors that need memory.
const maxDecode = 1 << 16
