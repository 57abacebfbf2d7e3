"""Counts the clicks and keys of a user."""


class Hands:
    """Mouse and keyboard of one user; every click and key is counted.

    `clicks` are presses of the mouse button, `keys` presses of a key or of a chord of keys, `typed` the letters of
    texts that have to be typed in any system, such as a name that is looked for.
    """

    def __init__(self, page):
        self.page = page
        self.clicks = self.keys = self.typed = 0

    def click(self, target):
        """Click a locator."""
        target.click()
        self.clicks += 1

    def press(self, key, times=1):
        """Press a key or chord where the focus is: "Enter", "Control+Enter", "b"."""
        for _ in range(times):
            self.page.keyboard.press(key)
        self.keys += times

    def type(self, text):
        """Type a text where the focus is."""
        self.page.keyboard.type(text)
        self.typed += len(text)
