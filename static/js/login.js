// The login page: other tabs may still show pages of a user who has just logged out here. Make them check at once.

if ("BroadcastChannel" in window) new BroadcastChannel("session").postMessage("ask");
