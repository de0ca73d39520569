package dataset_test

import (
	"fmt"
	"strings"

	"github.com/surefoot-ml/surefoot/validate/dataset"
)

func Example() {
	schema := dataset.Schema{Columns: []dataset.Column{
		{Name: "text", Type: dataset.String, MaxLength: 100000},
		{Name: "label", Type: dataset.Int, Range: &dataset.Range{Min: 0, Max: 1}},
	}}
	v, err := dataset.New(schema, dataset.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = v.ReadJSONL(strings.NewReader(`{"text":"SELECT is a word like others","label":1}
{"text":"no label"}
{"text":"a truth value is no number","label":true}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	report := v.Report()
	fmt.Println(report.BadRows, "of", report.Rows)
	for _, f := range report.Failures {
		fmt.Println(f)
	}
	// Output:
	// 2 of 3
	// row 1 (line 2), label must be present
	// row 2 (line 3), label is "true", must be int
}
