package agentx

import (
	"slices"
)

// MIB is what a subagent answers from.
type MIB interface {
	// Variables are all instances there are now, sorted by name. They must not change
	// once returned.
	Variables() []Variable
	// Known tells whether a name belongs to an object of the MIB, whatever its
	// instances are.
	Known(name OID) bool
}

// maxAnswer bounds the variables of one answer; a manager goes on from the last.
const maxAnswer = 2048

// answer is the Response to a request of the master's; nil: it gets none.
func answer(request *pdu, mib MIB) *pdu {
	response := &pdu{kind: kindResponse, session: request.session, transaction: request.transaction, packet: request.packet}
	if request.context != nil && *request.context != "" {
		response.result = result{code: errorGeneral, index: 1} // only the default context is registered
		return response
	}
	switch request.kind {
	case kindGet:
		response.variables = get(request, mib)
	case kindGetNext:
		response.variables = getNext(request.ranges, mib.Variables())
	case kindGetBulk:
		response.variables = getBulk(request, mib.Variables())
	case kindTestSet:
		response.result = result{code: errorNotWritable, index: 1}
	case kindCommitSet: // cannot follow a test that failed
		response.result = result{code: errorCommitFailed, index: 1}
	case kindUndoSet, kindPing:
	default:
		return nil
	}
	return response
}

func get(request *pdu, mib MIB) (found []Variable) {
	all := mib.Variables()
	for _, r := range request.ranges {
		v := Variable{Name: r.start}
		switch i, there := search(all, r.start); {
		case there:
			v = all[i]
		case mib.Known(r.start):
			v.Value.Kind = NoSuchInstance
		default:
			v.Value.Kind = NoSuchObject
		}
		found = append(found, v)
	}
	return found
}

func getNext(ranges []searchRange, all []Variable) (found []Variable) {
	for _, r := range ranges {
		found = append(found, next(r, all))
	}
	return found
}

// getBulk implements RFC 2741 section 7.2.3.3.
func getBulk(request *pdu, all []Variable) []Variable {
	once := min(int(request.bulk.nonRepeaters), len(request.ranges))
	found := getNext(request.ranges[:once], all)
	again := slices.Clone(request.ranges[once:])
	for range request.bulk.maxRepetitions {
		if len(again) == 0 || len(found)+len(again) > maxAnswer {
			break
		}
		ended := true
		for i, r := range again {
			v := next(r, all)
			ended = ended && v.Value.Kind == EndOfMIBView
			found = append(found, v)
			again[i] = searchRange{start: v.Name, end: r.end}
		}
		if ended {
			break
		}
	}
	return found
}

// next is the first variable of a range.
func next(r searchRange, all []Variable) Variable {
	i, there := search(all, r.start)
	if there && !r.include {
		i++
	}
	if i == len(all) || len(r.end) > 0 && slices.Compare(all[i].Name, r.end) >= 0 {
		return Variable{Name: r.start, Value: Value{Kind: EndOfMIBView}}
	}
	return all[i]
}

func search(all []Variable, name OID) (int, bool) {
	return slices.BinarySearchFunc(all, name, func(v Variable, name OID) int { return slices.Compare(v.Name, name) })
}
