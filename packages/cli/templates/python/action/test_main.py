"""Run with: python3 -B -m unittest"""

import unittest

from main import greet


class GreetTest(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(greet({"name": "Ada"}, {}), "Hello, Ada!")

    def test_is_loud_when_the_key_was_struck_hard(self):
        self.assertEqual(greet({"name": "Ada"}, {"velocity": 127}), "HELLO, ADA!")


if __name__ == "__main__":
    unittest.main()
