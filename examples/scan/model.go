package main

import (
	"fmt"
	"io"

	"github.com/surefoot-ml/surefoot/validate/modelfile"
)

// scanModel judges a file of weights. The error is a *badError if the file must not be loaded.
func scanModel(out io.Writer, file, digest string, asJSON bool) error {
	rep, err := modelfile.InspectFile(file, modelfile.Options{SHA256: digest})
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(out, rep)
	} else {
		err = writeModel(out, &rep)
	}
	if err != nil {
		return err
	}
	if err := rep.Err(); err != nil {
		return &badError{fmt.Errorf("%d problems: do not load it", len(rep.Problems))}
	}
	return nil
}

func writeModel(out io.Writer, rep *modelfile.Report) error {
	_, err := fmt.Fprintf(out, "format   %s, %d bytes\ntensors  %d with %d values\n", rep.Format, rep.Size, rep.Tensors, rep.Values)
	for _, name := range rep.Imports {
		if err == nil {
			_, err = fmt.Fprintln(out, "imports ", name)
		}
	}
	for _, p := range rep.Problems {
		if err == nil {
			_, err = fmt.Fprintf(out, "%-8s %s\n", p.Severity, p)
		}
	}
	return err
}
