// Writes go_expressions.json: what Go's regexp says of random expression values, matched as Docker Swarm matches them.
//
//	go run tests/data/go_expressions.go > tests/data/go_expressions.json
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"regexp"
	"runtime"
	"strings"
)

const values = 2500

var grammar = regexp.MustCompile(`^[=!/]?(~)?[a-zA-Z0-9\s:\-_.*/()?+\[\]\\^$|]+$`)

var candidates = []string{
	"", "a", "b", "c", "A", "ab", "abc", "a1", "1", "-", "_", ".", "é", "٣", "a b", "\n", "a\nb", "aa", "k", "K", "[", "]",
	"ABC", "+", ",", "axb", "a.b", "/", "\\", "c++", "us-east", ":", "[:foo:]", "Q", "E", "\t", "\v", "ſ", "€", "$", "^a",
	"s", " ", "aé", "S",
}

var tokens = strings.Fields(`
a b c 1 - _ . * / ( ) ? + [ ] \ ^ $ | : A k s a b c a|b * . * ( ) ) ] | ? +
\d \w \s \b \B \D \W \S \A \z \Z \Q \E \pL \PL \pN \pX \x41 \x4 \141 \0 \1 \_ \. \- \] \* \n \t \C \u0041 \v \e \h \a
(?i) (?: (?s) (?m) (?U) (?i: (?-i) (?ii) (?) (?x) (?P (?is-m: (?i-i) (?-) (?--i) (?ix) (?:)
[:alpha:] [[:digit:]] [[:^digit:]] [[:foo:]] [[:lower:]] [[: :] [^ [a-c] [a- -] [] [^] [--a] [+--] [a-\d] [A-\d] [\d-z] [\w- [^\s] [\pL [ab] [k]
`)

func matches(value string) string {
	expression := value
	if value[0] == '/' && value[len(value)-1] == '/' {
		expression = value[1 : len(value)-1]
	} else {
		expression = "^" + strings.Replace(value, "*", ".*", -1) + "$"
	}
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return "invalid"
	}
	verdicts := ""
	for _, candidate := range candidates {
		if compiled.MatchString(candidate) {
			verdicts += "1"
		} else {
			verdicts += "0"
		}
	}
	return verdicts
}

func main() {
	rand.Seed(1)
	seen := map[string]bool{"/": true}
	list, _ := json.Marshal(candidates)
	fmt.Printf("{\n\"go\": %q,\n\"candidates\": %s,\n\"values\": [\n", runtime.Version(), list)
	for written := 0; written < values; {
		body := ""
		for n := 1 + rand.Intn(6); n > 0; n-- {
			body += tokens[rand.Intn(len(tokens))]
			if rand.Intn(12) == 0 {
				body += " "
			}
		}
		if rand.Intn(3) > 0 {
			body = "/" + body + "/"
		}
		verdict := ""
		if grammar.MatchString(body) && body[0] != '~' && !seen[body] {
			verdict = matches(body)
		}
		// Most random patterns do not compile; a few of those are enough.
		if verdict == "" || verdict == "invalid" && rand.Intn(3) > 0 {
			continue
		}
		seen[body] = true
		written++
		line, _ := json.Marshal([]string{body, verdict})
		comma := ","
		if written == values {
			comma = ""
		}
		fmt.Printf("%s%s\n", line, comma)
	}
	fmt.Println("]\n}")
}
