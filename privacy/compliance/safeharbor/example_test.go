package safeharbor_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/surefoot-ml/surefoot/privacy/compliance/safeharbor"
)

func Example() {
	scanner, err := safeharbor.New(safeharbor.Config{Formats: map[safeharbor.Kind][]string{safeharbor.MRN: {"KH-999999"}}})
	if err != nil {
		log.Fatal(err)
	}
	scanner.Cell(0, "note", "KH-204518 seen on 3 March 2021, call (212) 555-0123")
	scanner.Cell(0, "zip", "02139")
	scanner.Cell(1, "note", "aged 93, card 4111 1111 1111 1111")
	scanner.Cell(1, "zip", "021")
	report := scanner.Report()
	for _, p := range report.Places {
		fmt.Printf("%v in row %d, %s at %d\n", p.Kind, p.Row, p.Column, p.Offset)
	}
	scan := report.Scan("notes", true) // evidence for package compliance
	fmt.Println(scan.Rows, scan.Counts["date"], scan.Counts["ssn"])
	// Output:
	// mrn in row 0, note at 0
	// date in row 0, note at 18
	// phone in row 0, note at 38
	// zip in row 0, zip at 0
	// age in row 1, note at 5
	// account in row 1, note at 14
	// 2 1 0
}

func ExampleScanner_Text() {
	scanner, err := safeharbor.New(safeharbor.Config{Kinds: []safeharbor.Kind{safeharbor.SSN, safeharbor.Email}})
	if err != nil {
		log.Fatal(err)
	}
	text := "Write to jane@example.com.\nSocial security number: １２３-４５-６７８９\n"
	if err := scanner.Text(strings.NewReader(text)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(scanner.Report().Counts)
	// Output: map[email:1 ssn:1]
}
