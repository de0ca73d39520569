package security_test

import (
	"fmt"
	"log"

	"github.com/surefoot-ml/surefoot/validate/security"
)

func Example() {
	engine, err := security.New(security.Config{
		Rules: []security.Rule{
			{Name: "sql", Kinds: []string{security.KindSQL}, Severity: security.High, Action: security.Block},
		},
		Audit: func(d security.Decision) { fmt.Println("audit:", d.Subject, d.Rule, d.Severity, d.Action) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(engine.Allow("203.0.113.7"))
	engine.Observe(security.Event{Kind: security.KindSQL, Subject: "203.0.113.7", Detail: "id=1 or 1=1"})
	fmt.Println(engine.Allow("203.0.113.7") != nil)
	// Output:
	// <nil>
	// audit: 203.0.113.7 sql high block
	// true
}
