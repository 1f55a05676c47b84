package doc

import "mcp/vxml/ssml"

// Action is one piece of executable content: *Var, *Assign, *Script, *Goto,
// and so on. Each says where it stands.
type Action interface{ At() Pos }

// At returns p itself: embedding it makes an action.
func (p Pos) At() Pos { return p }

// Var is <var>.
type Var struct {
	Pos
	Name, Expr string
}

// Assign is <assign>.
type Assign struct {
	Pos
	Name, Expr string
}

// Script is <script>.
type Script struct {
	Pos
	Text      string
	Src, Expr string
	Charset   string
	Fetch     Fetch
}

// Goto is <goto> to a document or dialog, and <submit>.
type Goto struct{ Transition }

// GotoItem is <goto nextitem> and <goto expritem>.
type GotoItem struct {
	Pos
	Name, Expr string
}

// Log is <log>.
type Log struct {
	Pos
	Label, Expr string
	Dest        string // gvp:dest
	Content     []ssml.Node
}

// If is <if> with its branches in order; the branch of <else> has no Cond.
type If struct {
	Pos
	Branches []Branch
}

// Branch is one branch of If.
type Branch struct {
	Pos
	Cond string
	Else bool
	Body []Action
}

// Throw is <throw>, and the event of <return>, <link> and <choice>.
type Throw struct {
	Pos
	Event, EventExpr     string
	Message, MessageExpr string
}

// Reprompt is <reprompt>.
type Reprompt struct{ Pos }

// Disconnect is <disconnect>.
type Disconnect struct {
	Pos
	Namelist []string
}

// Exit is <exit>.
type Exit struct {
	Pos
	Expr     string
	Namelist []string
}

// Return is <return>.
type Return struct {
	Pos
	Throw    *Throw // nil when it returns values
	Namelist []string
}

// Clear is <clear>.
type Clear struct {
	Pos
	Namelist []string // empty: all form items
}

// Say is a prompt in executable content.
type Say struct {
	Pos
	Prompt *Prompt
}

// Foreach is <foreach> around executable content.
type Foreach struct {
	Pos
	Item, Array string
	Body        []Action
}

// Data is <data>: a document to fetch, and the variable it becomes.
type Data struct {
	Transition
	Name string // empty: what is fetched is not looked at
}

// Send is <gvp:send>: a message to whoever controls the call.
type Send struct {
	Pos
	Async                        bool
	ContentType, ContentTypeExpr string
	Body, BodyExpr               string
	Namelist                     []string
}

// Receive is <gvp:receive>: it waits for a message.
type Receive struct {
	Pos
	MaxTime, MaxTimeExpr string
}
