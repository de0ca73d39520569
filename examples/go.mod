module github.com/surefoot-ml/surefoot/examples

go 1.25.0

require github.com/surefoot-ml/surefoot v0.0.0

replace github.com/surefoot-ml/surefoot => ../
