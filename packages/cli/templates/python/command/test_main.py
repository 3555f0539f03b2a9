"""Run with: python3 -B -m unittest"""

import unittest

from main import greet


class GreetTest(unittest.TestCase):
    def test_greets_everybody(self):
        self.assertEqual(greet({"args": ["Ada", "Bo"]}, {})["stdout"], "Hello, Ada!\nHello, Bo!\n")

    def test_needs_a_name(self):
        self.assertEqual(greet({"args": []}, {})["exit_code"], 2)


if __name__ == "__main__":
    unittest.main()
