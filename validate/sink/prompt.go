package sink

import (
	"crypto/rand"
	"strings"
)

// Prompt returns the text as a part of a prompt: between two lines that nobody who wrote the text could know, with what shows as nothing
// made visible and the control tokens of chat models broken up by a backslash. Say in the instructions before it that what is
// between lines with this mark is data.
//
// It is no defence by itself: a model may follow instructions in data. Whatever a model that has read the text may do must be
// harmless without it.
func Prompt(text string) string {
	mark := "data-" + rand.Text()
	var b strings.Builder
	b.Grow(len(text) + 2*len(mark) + 16)
	b.WriteString("<" + mark + ">\n")
	for line := range strings.Lines(text) {
		body, ended := strings.CutSuffix(line, "\n")
		for i, part := range strings.Split(body, "\t") {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(chatTokens.Replace(visible(part)))
		}
		if ended {
			b.WriteByte('\n')
		}
	}
	b.WriteString("\n</" + mark + ">\n")
	return b.String()
}

// visible is [Log] without the doubling of backslashes: the text of a prompt is not read back.
func visible(s string) string {
	if shown(strings.ReplaceAll(s, `\`, "/")) == len(s) {
		return s
	}
	var b strings.Builder
	for i, part := range strings.Split(s, `\`) {
		if i > 0 {
			b.WriteByte('\\')
		}
		b.WriteString(Log(part, 0))
	}
	return b.String()
}

// chatTokens begin and end turns in the templates of common models.
var chatTokens = strings.NewReplacer("<|", `<\|`, "|>", `|\>`, "<｜", `<\｜`, "｜>", `｜\>`, "[INST]", `[\INST]`, "[/INST]", `[\/INST]`, "<<SYS>>", `<\<SYS>>`, "<</SYS>>", `<\</SYS>>`,
	"<start_of_turn>", `<\start_of_turn>`, "<end_of_turn>", `<\end_of_turn>`, "<s>", `<\s>`, "</s>", `<\/s>`, "<bos>", `<\bos>`, "<eos>", `<\eos>`, "[SYSTEM_PROMPT]", `[\SYSTEM_PROMPT]`, "[/SYSTEM_PROMPT]", `[\/SYSTEM_PROMPT]`,
	"[TOOL_CALLS]", `[\TOOL_CALLS]`, "[TOOL_RESULTS]", `[\TOOL_RESULTS]`, "[/TOOL_RESULTS]", `[\/TOOL_RESULTS]`, "[AVAILABLE_TOOLS]", `[\AVAILABLE_TOOLS]`,
	"[/AVAILABLE_TOOLS]", `[\/AVAILABLE_TOOLS]`)
