"""Run with: python3 -B -m unittest"""

import unittest

from main import Refused, greet


class GreetTest(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(greet({"name": "Ada"}, {}), "Hello, Ada!")

    def test_refuses_a_blank_name(self):
        with self.assertRaises(Refused):
            greet({"name": " "}, {})


if __name__ == "__main__":
    unittest.main()
