// The login: other tabs may still show a page of somebody who has just logged out here. They ask the portal at once.
"use strict";

if ("BroadcastChannel" in window) new BroadcastChannel("session").postMessage("ask");
