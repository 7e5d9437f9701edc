// SPDX-License-Identifier: GPL-2.0-or-later

// management-client leads a client of nf-ovpnd through its life by its management interface, with a library
// that others have written for OpenVPN's. It is for "our client, led by a management client of others" in
// lab/tests/end-to-end-guest.
//
//	management-client SOCKET TUNNEL-ADDRESS SERVER
//
// Exit status: 0 if all was as it is with OpenVPN.
package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/apparentlymart/go-openvpn-mgmt/openvpn"
)

const patience = 30 * time.Second

func fail(format string, words ...interface{}) {
	fmt.Printf(format+"\n", words...)
	os.Exit(1)
}

func must(what string, err error) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

// waitFor takes events until one of them is wanted.
func waitFor(what string, events <-chan openvpn.Event, wanted func(openvpn.Event) bool) {
	late := time.After(patience)
	for {
		select {
		case event, open := <-events:
			if !open {
				fail("no %s: the connection has ended", what)
			}
			fmt.Printf("event: %s\n", event)
			if _, bad := event.(*openvpn.MalformedEvent); bad {
				fail("that is no event")
			}
			if wanted(event) {
				return
			}
		case <-late:
			fail("no %s within %s", what, patience)
		}
	}
}

func isState(name string) func(openvpn.Event) bool {
	return func(event openvpn.Event) bool {
		state, ok := event.(*openvpn.StateEvent)
		return ok && state.NewState() == name
	}
}

func isHold(event openvpn.Event) bool {
	_, ok := event.(*openvpn.HoldEvent)
	return ok
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: management-client SOCKET TUNNEL-ADDRESS SERVER")
	}
	tunnel, server := os.Args[2], os.Args[3]
	conn, err := net.Dial("unix", os.Args[1])
	must("connecting", err)
	events := make(chan openvpn.Event, 1000)
	client := openvpn.NewClient(conn, events)

	waitFor("hold", events, isHold)
	must("state on", client.SetStateEvents(true))
	must("echo on", client.SetEchoEvents(true))
	must("bytecount 1", client.SetByteCountEvents(time.Second))
	must("hold release", client.HoldRelease())

	echoed := false
	waitFor("connection", events, func(event openvpn.Event) bool {
		if echo, ok := event.(*openvpn.EchoEvent); ok && echo.Message() == "save-passwords no" {
			echoed = true
		}
		state, ok := event.(*openvpn.StateEvent)
		if !ok || state.NewState() != "CONNECTED" {
			return false
		}
		if state.LocalTunnelAddr() != tunnel || state.RemoteAddr() != server {
			fail("connected as %s to %s", state.LocalTunnelAddr(), state.RemoteAddr())
		}
		return true
	})
	if !echoed {
		fail("the server's echo was not told")
	}
	state, err := client.LatestState()
	must("state", err)
	if state.NewState() != "CONNECTED" {
		fail("the latest state is %s", state.NewState())
	}
	for i := 0; i < 2; i++ {
		waitFor("count of bytes", events, func(event openvpn.Event) bool {
			_, ok := event.(*openvpn.ByteCountEvent)
			return ok
		})
	}

	// The hold that was released was that of one connection.
	must("signal", client.SendSignal("SIGUSR1"))
	waitFor("reconnection", events, isState("RECONNECTING"))
	waitFor("hold", events, isHold)
	must("hold release", client.HoldRelease())
	waitFor("connection", events, isState("CONNECTED"))

	must("signal", client.SendSignal("SIGTERM"))
	waitFor("exit", events, isState("EXITING"))
	fmt.Println("all as with OpenVPN")
}
