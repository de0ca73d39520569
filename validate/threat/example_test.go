package threat_test

import (
	"fmt"

	"github.com/surefoot-ml/surefoot/validate/threat"
)

func Example() {
	for _, s := range []string{"O'Brien; select a table", "1' OR '1'='1", "50 < 100 <b>", "<svg onload=alert(1)>", "sort it; cat is done", "x; cat /etc/passwd", "a..b/c", "%2e%2e%2fdata", "ok\u202e"} {
		fmt.Printf("%-24q %q %q %q %q %q\n", s, threat.SQL(s), threat.HTML(s), threat.Shell(s), threat.Path(s), threat.Text(s))
	}
	// Output:
	// "O'Brien; select a table" "" "" "" "" ""
	// "1' OR '1'='1"           "sqli" "" "" "" ""
	// "50 < 100 <b>"           "" "" "" "" ""
	// "<svg onload=alert(1)>"  "" "xss" "" "" ""
	// "sort it; cat is done"   "" "" "" "" ""
	// "x; cat /etc/passwd"     "" "" "command" "" ""
	// "a..b/c"                 "" "" "" "" ""
	// "%2e%2e%2fdata"          "" "" "" "traversal" ""
	// "ok\u202e"               "" "" "" "" "bidi"
}
