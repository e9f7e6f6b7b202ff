package main

import "errors"

// longest keeps the table under 512 KiB.
const longest = 1024

// automaton finds words in a stream: that of Aho and Corasick (1975), with a column for each byte
// of a word.
type automaton struct {
	// columns has the column of each byte; 0 is that of all bytes that are in no word.
	columns [256]uint8
	width   int
	table   []uint16
	// found is of each state the longest word that ends there, open how many bytes before it may
	// begin one.
	found, open []uint16
}

func newAutomaton(words []string) (*automaton, error) {
	made, most := &automaton{width: 1}, 1
	for _, word := range words {
		if word == "" {
			return nil, errors.New("words: a word is empty")
		}
		most += len(word)
		for i := range len(word) {
			// Text has fewer than 255 different bytes: UTF-8 leaves 13 out.
			if column := &made.columns[word[i]]; *column == 0 {
				*column = uint8(made.width)
				made.width++
			}
		}
	}
	if most > longest+1 {
		return nil, errors.New("words: at most 1,024 bytes together")
	}
	made.table = make([]uint16, most*made.width)
	made.found, made.open = make([]uint16, most), make([]uint16, most)
	depth, states := make([]uint16, most), uint16(1)
	for _, word := range words {
		state := uint16(0)
		for i := range len(word) {
			slot := &made.table[int(state)*made.width+int(made.columns[word[i]])]
			if *slot == 0 {
				*slot = states
				depth[states] = depth[state] + 1
				states++
			}
			state = *slot
		}
		made.found[state] = uint16(len(word))
	}
	made.close(depth[:states])
	return made, nil
}

func (a *automaton) next(state uint16, char byte) uint16 {
	return a.table[int(state)*a.width+int(a.columns[char])]
}

// close makes an automaton of the tree: where a state has no child, it goes where its longest
// proper suffix goes.
func (a *automaton) close(depth []uint16) {
	suffix, queue := make([]uint16, len(depth)), []uint16{0}
	for at := 0; at < len(queue); at++ {
		state, isLeaf := queue[at], true
		for column := range a.width {
			slot, bySuffix := &a.table[int(state)*a.width+column], uint16(0)
			if state != 0 {
				bySuffix = a.table[int(suffix[state])*a.width+column]
			}
			child := *slot
			if child == 0 {
				*slot = bySuffix
				continue
			}
			isLeaf = false
			suffix[child] = bySuffix
			a.found[child] = max(a.found[child], a.found[bySuffix])
			queue = append(queue, child)
		}
		begun := depth[state]
		if isLeaf {
			begun = a.open[suffix[state]]
		}
		// A word that ends here and covers all of it leaves nothing open.
		if a.found[state] < begun {
			a.open[state] = begun
		}
	}
}
